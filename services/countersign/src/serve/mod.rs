//! `countersign serve`: all services in one process over the embedded log, or some of them over a log that processes share.
//!
//! [`Config`] says how, [`Installation`] opens what services stand on, [`Server`] serves it. The three are apart so that
//! tests can put a server together from other parts.

mod assertion;
mod config;
mod first_key;
mod flags;
mod installation;
mod server;
mod service_name;
mod status;

use std::{collections::BTreeSet, sync::Arc};

use anyhow::Context as _;
use countersign_providers::log::LogMessenger;
use countersign_service::{
    lifecycle::{Lifecycle, StopSignals},
    telemetry,
};
use tokio::net::TcpListener;

use crate::World;

pub use self::{
    assertion::JwsSigner,
    config::{Config, ConfigError, EngineChoice, LogConfig, Mode, NatsConfig, SharedEngine},
    first_key::FIRST_KEY_FILE,
    flags::Flags,
    installation::{Installation, KEYS_DIRECTORY},
    server::{Parts, Server},
    service_name::ServiceName,
};

/// What `serve` is told.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// The service to serve alone; all of them if none is named
    #[arg(value_enum)]
    service: Option<ServiceName>,
    #[command(flatten)]
    flags: Flags,
}

/// Serves until a signal asks it to stop, or until it cannot go on.
pub(crate) async fn run(args: Args, world: World) -> anyhow::Result<()> {
    let config = Config::load(args.flags)?;
    telemetry::init(config.log.format, &config.log.filter)
        .map_err(|error| anyhow::anyhow!("log.filter: {error}"))?;
    // What can be refused without touching the data directory is looked at first.
    let messenger = Arc::new(LogMessenger::new(config.mode.into())?);
    let peers = config.peer_addresses()?;
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("cannot listen at {}", config.listen))?;
    // Whatever is written from here on is for the owner's eyes only, whoever made the directory.
    rustix::process::umask(rustix::fs::Mode::from_bits_truncate(0o077));
    let installation = open(&config, args.service, world).await?;
    let services: BTreeSet<_> = match args.service {
        Some(service) => [service].into(),
        None => ServiceName::ALL.into(),
    };
    let parts = Parts {
        foundation: Arc::clone(&installation.foundation),
        bus: Arc::clone(&installation.bus),
        publisher: installation.publisher.clone(),
        messenger,
        signer: Arc::new(JwsSigner::new(installation.signing_key(), config.issuer.clone())),
        request_timeout: config.request_timeout(),
        services,
        peers,
        event_log: installation.event_log,
    };
    let mut signals = StopSignals::listen().context("cannot listen for signals")?;
    let mut server = Server::start(listener, parts, Lifecycle::new()).await?;
    tracing::info!(
        address = %server.address(),
        service = args.service.map_or("all", ServiceName::as_str),
        event_log = installation.event_log,
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

async fn open(
    config: &Config,
    service: Option<ServiceName>,
    world: World,
) -> anyhow::Result<Installation> {
    if config.event_log != EngineChoice::Embedded || service.is_some() {
        return Installation::join(config, world).await;
    }
    let installation = Installation::open(&config.data_dir, world).await?;
    if installation.is_new {
        let path = config.data_dir.join(FIRST_KEY_FILE);
        tracing::info!(path = %path.display(), "first start: the first API key is in this file");
    }
    Ok(installation)
}
