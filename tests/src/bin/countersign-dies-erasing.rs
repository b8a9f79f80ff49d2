//! The program `countersign` with a fault: it dies as by a power cut when a user's erasure is in the log, or an event of the
//! type that is named after the data directory, before anything comes of it. Everything else is the real thing, but that no reactor runs, which might be faster than the fault.

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context as _;
use async_trait::async_trait;
use countersign::{
    World,
    serve::{Installation, JwsSigner, Parts, Server, ServiceName},
};
use countersign_bus::{Bus, ConsumerReport};
use countersign_eventsourcing::{
    AppendError, Appended, EventLog, EventStream, ExpectedRevision, Filter, FollowStream, LogId,
    NewEvent, NoSnapshots, Position, Reactor, ReadError, Revision, StreamId,
};
use countersign_providers::{Mode, log::LogMessenger};
use countersign_service::{
    Foundation, FoundationParts, access::Identities, lifecycle::Lifecycle, limits::Limits,
    peers::PeerAddresses,
};
use rustix::process::{Signal, getpid, kill_process};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// A log that ends the process once it holds an event of one type.
struct Deadly {
    log: Arc<dyn EventLog>,
    event_type: String,
}

#[async_trait]
impl EventLog for Deadly {
    fn id(&self) -> LogId {
        self.log.id()
    }

    async fn append(
        &self,
        stream: &StreamId,
        expected: ExpectedRevision,
        events: &[NewEvent],
    ) -> Result<Appended, AppendError> {
        let appended = self.log.append(stream, expected, events).await?;
        if events.iter().any(|event| *event.event_type == *self.event_type) {
            // Nothing of this process runs after it.
            assert!(kill_process(getpid(), Signal::KILL).is_ok(), "it cannot end itself");
            std::process::abort();
        }
        Ok(appended)
    }

    async fn read(&self, stream: &StreamId, from: Revision) -> Result<EventStream, ReadError> {
        self.log.read(stream, from).await
    }

    async fn follow(
        &self,
        filter: &Filter,
        after: Option<Position>,
    ) -> Result<FollowStream, ReadError> {
        self.log.follow(filter, after).await
    }

    async fn head(&self) -> Result<Option<Position>, ReadError> {
        self.log.head().await
    }
}

/// A bus that carries nothing.
struct Still;

#[async_trait]
impl Bus for Still {
    async fn run(&self, _: Arc<dyn Reactor>, stop: CancellationToken) {
        stop.cancelled().await;
    }

    fn reports(&self) -> Vec<ConsumerReport> {
        Vec::new()
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let data_dir =
        std::env::args_os().nth(1).map(PathBuf::from).context("name a data directory")?;
    let event_type = std::env::args().nth(2).unwrap_or_else(|| "UserErased".to_owned());
    let World { clock, rng } = World::default();
    let installation = Installation::open(&data_dir, World::default()).await?;
    let whole = &installation.foundation;
    let foundation = Arc::new(Foundation::new(FoundationParts {
        log: Arc::new(Deadly { log: Arc::clone(&whole.log), event_type }),
        snapshots: Arc::new(NoSnapshots),
        vault: whole.vault.clone(),
        clock,
        rng,
    }));
    let signer = JwsSigner::new(installation.signing_key(), "https://mfa.example.com".to_owned());
    let parts = Parts {
        foundation,
        bus: Arc::new(Still),
        publisher: None,
        messenger: Arc::new(LogMessenger::new(Mode::Development)?),
        signer: Arc::new(signer),
        identities: Arc::<Identities>::default(),
        tls: None,
        peer_tls: None,
        request_timeout: Duration::from_secs(30),
        limits: Limits::default(),
        services: ServiceName::ALL.into(),
        peers: PeerAddresses::default(),
        event_log: installation.event_log,
        keyring: installation.keyring(),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let mut server = Server::start(listener, parts, Lifecycle::new()).await?;
    let serving = serde_json::json!({
        "fields": { "message": "serving", "address": server.address().to_string() },
    });
    eprintln!("{serving}");
    Err(server.failed().await)
}
