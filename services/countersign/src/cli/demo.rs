//! `countersign demo`: a whole sign-in, told step by step.

use std::{net::SocketAddr, path::PathBuf};

use countersign_service::lifecycle::StopSignals;

use super::{Failure, Screen, global::Global};
use crate::{
    demo::{self, LocalServer},
    serve::FIRST_KEY_FILE,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Start a server for it and keep that running until interrupted
    #[arg(long)]
    serve: bool,
    /// Where that server keeps its data
    #[arg(long, value_name = "DIR", default_value = "data", requires = "serve")]
    data_dir: PathBuf,
    /// Where that server listens; another port is taken if this one is in use
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7443", requires = "serve")]
    listen: SocketAddr,
}

pub(crate) async fn run(args: Args, global: &Global, screen: &mut Screen) -> Result<(), Failure> {
    if screen.wants_json() {
        return Err(Failure::Usage("the demo is a story for people: it has no --json".to_owned()));
    }
    if !args.serve {
        return demo::tell(global, screen).await;
    }
    // Listened for before there is a server: whatever interrupts us must not leave it behind.
    let mut signals =
        StopSignals::listen().map_err(|error| Failure::Serving(anyhow::Error::new(error)))?;
    let mut server = tokio::select! {
        started = LocalServer::start(args.listen, &args.data_dir) => started?,
        () = signals.received() => return Ok(()),
    };
    let at_server = global.at(server.address().clone(), args.data_dir.join(FIRST_KEY_FILE));
    let lasted = tokio::select! {
        ended = tell_and_stay(&mut server, &at_server, screen) => ended,
        () = signals.received() => Ok(()),
    };
    server.stop().await;
    lasted
}

/// Tells the story against a server of its own, and stays for as long as that runs.
async fn tell_and_stay(
    server: &mut LocalServer,
    global: &Global,
    screen: &mut Screen,
) -> Result<(), Failure> {
    server.opening(screen)?;
    demo::tell(global, screen).await?;
    server.keep_running(screen).await
}
