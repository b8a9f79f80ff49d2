//! `countersign serve`: all services in one process, over the embedded log.
//!
//! [`Config`] says how, [`Installation`] opens what lies in the data directory, [`Server`] serves it. The three are apart
//! so that tests can put a server together from other parts.

mod assertion;
mod config;
mod installation;
mod server;

use std::sync::Arc;

use anyhow::Context as _;
use countersign_providers::log::LogMessenger;
use countersign_service::{
    OsRandom, SystemClock,
    lifecycle::{Lifecycle, StopSignals},
    telemetry,
};
use tokio::net::TcpListener;

pub use self::{
    assertion::JwsSigner,
    config::{Config, ConfigError, Flags, LogConfig, Mode},
    installation::{FIRST_KEY_FILE, Installation, KEYS_DIRECTORY},
    server::{Parts, Server},
};

/// Serves until a signal asks it to stop, or until it cannot go on.
pub(crate) async fn run(flags: Flags) -> anyhow::Result<()> {
    let config = Config::load(flags)?;
    telemetry::init(config.log.format, &config.log.filter)
        .map_err(|error| anyhow::anyhow!("log.filter: {error}"))?;
    // What can be refused without touching the data directory is looked at first.
    let messenger = Arc::new(LogMessenger::new(config.mode.into())?);
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("cannot listen at {}", config.listen))?;
    // Whatever is written from here on is for the owner's eyes only, whoever made the directory.
    rustix::process::umask(rustix::fs::Mode::from_bits_truncate(0o077));
    let installation =
        Installation::open(&config.data_dir, Arc::new(SystemClock), Arc::new(OsRandom)).await?;
    if installation.is_new {
        let path = config.data_dir.join(FIRST_KEY_FILE);
        tracing::info!(path = %path.display(), "first start: the first API key is in this file");
    }
    let parts = Parts {
        foundation: Arc::clone(&installation.foundation),
        checkpoints: installation.checkpoints(),
        messenger,
        signer: Arc::new(JwsSigner::new(installation.signing_key(), config.issuer.clone())),
        request_timeout: config.request_timeout(),
    };
    let mut signals = StopSignals::listen().context("cannot listen for signals")?;
    let mut server = Server::start(listener, parts, Lifecycle::new()).await?;
    tracing::info!(
        address = %server.address(),
        data_dir = %config.data_dir.display(),
        version = env!("CARGO_PKG_VERSION"),
        "serving"
    );
    let ended = tokio::select! {
        () = signals.received() => Ok(()),
        error = server.failed() => Err(error),
    };
    tracing::info!("stopping: calls under way are let finish");
    let stopped = server.stop().await;
    installation.close().await;
    tracing::info!("stopped");
    ended.and(stopped)
}
