//! `countersign log digest`: what a log holds, in one number.

use std::time::Duration;

use countersign_core::SecretString;
use countersign_eventsourcing::Poison;

use super::{address, bar::Bar, patience, unread, until_stopped};
use crate::{
    cli::{Failure, Screen, screen::ALERT},
    copy::{self, Summed, Unreadable},
    engines::{LogAddress, open_log},
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The log, such as embedded:data; no server may have a data directory open meanwhile
    #[arg(
        long,
        env = "COUNTERSIGN_LOG",
        hide_env_values = true,
        value_name = "LOG",
        value_parser = unread
    )]
    log: SecretString,
    /// How long to wait for a log that is away
    #[arg(long, value_name = "SPAN", default_value = "2m", value_parser = patience)]
    patience: Duration,
}

const DOING: &str = "reading the log";

pub(super) async fn run(args: &Args, screen: &mut Screen) -> Result<(), Failure> {
    let log = address("--log", &args.log)?;
    let failed = |source| Failure::Log { doing: DOING, source };
    let summed = until_stopped(sum(&log, args.patience)).await;
    let (Summed { events, digest }, unreadable) = summed.map_err(failed)?;
    if screen.wants_json() {
        screen.line(serde_json::json!({
            "events": events,
            "digest": digest.to_string(),
            "unreadableCount": unreadable.count,
        }))?;
    } else {
        screen.line(format_args!("{events} events  {digest}"))?;
        for Poison { position, place, what, .. } in &unreadable.first {
            screen.line(format_args!(
                "{ALERT}left out:{ALERT:#} position {position}, {place}: {what}"
            ))?;
        }
    }
    if unreadable.count == 0 {
        return Ok(());
    }
    Err(failed(anyhow::anyhow!("{} places of the log cannot be read", unreadable.count)))
}

async fn sum(address: &LogAddress, patience: Duration) -> anyhow::Result<(Summed, Unreadable)> {
    let open = open_log(address).await.map_err(|error| error.context(format!("{address}")))?;
    let bar = Bar::new();
    let mut told = |progress| bar.show(progress);
    let summed = copy::sum(&*open.log(), patience, &mut told).await;
    drop(bar);
    open.close().await;
    Ok(summed?)
}
