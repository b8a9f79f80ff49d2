//! `countersign serve`: all services in one process over the embedded log, or some of them over a log that processes share.
//!
//! [`Config`] says how, [`Installation`] opens what services stand on, [`Server`] serves it. The three are apart so that
//! tests can put a server together from other parts.

mod assertion;
mod callers;
mod config;
mod engine_choice;
mod first_key;
mod flags;
mod founded;
mod installation;
mod keyring;
mod server;
mod service_name;
mod status;
mod tls;
mod undumpable;
mod unquoted;

use std::{collections::BTreeSet, sync::Arc};

use anyhow::Context as _;
use countersign_providers::log::LogMessenger;
use countersign_service::{
    lifecycle::{Lifecycle, StopSignals},
    telemetry,
};
use tokio::net::TcpListener;

use crate::World;

pub(crate) use self::keyring::OfflineKeys;
pub use self::{
    assertion::JwsSigner,
    callers::{CallersConfig, IssuerConfig},
    config::{Config, ConfigError, LogConfig, Mode, NatsConfig},
    engine_choice::{EngineChoice, SharedEngine},
    first_key::FIRST_KEY_FILE,
    flags::Flags,
    installation::{Installation, KEYS_DIRECTORY},
    keyring::Keyring,
    server::{Parts, Server},
    service_name::ServiceName,
    tls::{PeerTlsConfig, TlsConfig},
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
    if !config.core_dumps {
        undumpable::become_undumpable()?;
    }
    // What can be refused without touching the data directory is looked at first.
    let messenger = Arc::new(LogMessenger::new(config.mode.into())?);
    let peers = config.peer_addresses()?;
    let identities = Arc::new(config.callers.identities(Arc::clone(&world.clock))?);
    let lifecycle = Lifecycle::new();
    let tls = config.tls.as_ref().map(TlsConfig::open).transpose()?;
    let peer_tls =
        config.peer_tls.as_ref().map(|peer_tls| peer_tls.open(&lifecycle)).transpose()?;
    anyhow::ensure!(
        peer_tls.is_some() || !peers.need_tls(),
        "peer_tls is missing: an address in peers is https, and it says whom to trust"
    );
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
    if let Some(issuers) = identities.issuers.clone() {
        // So that the first callers need not wait. Whoever is not reached is asked again, and named in the log.
        lifecycle.spawn(async move { drop(issuers.warm().await) });
    }
    let parts = Parts {
        foundation: Arc::clone(&installation.foundation),
        bus: Arc::clone(&installation.bus),
        publisher: installation.publisher.clone(),
        messenger,
        signer: Arc::new(JwsSigner::new(installation.signing_key(), config.issuer.clone())),
        identities,
        tls,
        peer_tls,
        request_timeout: config.request_timeout(),
        limits: config.limits.clone(),
        services,
        peers,
        event_log: installation.event_log,
        keyring: installation.keyring(),
    };
    let mut signals = StopSignals::listen().context("cannot listen for signals")?;
    let mut server = Server::start(listener, parts, lifecycle).await?;
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
    let provider = config.keys.choice()?;
    let installation = Installation::open_with(&config.data_dir, &provider, world).await?;
    if installation.is_new {
        let path = config.data_dir.join(FIRST_KEY_FILE);
        tracing::info!(path = %path.display(), "first start: the first API key is in this file");
    }
    Ok(installation)
}
