//! The whole house on free ports, with a clock that tests move: in this process over the embedded log, or as separate
//! processes over a log that they share. Tests do not know which: the setting of the run says.

use std::{
    fs,
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use countersign::{
    World,
    serve::{CallersConfig, FIRST_KEY_FILE, Installation, JwsSigner, Parts, Server, ServiceName},
};
use countersign_core::{Clock as _, Timestamp};
use countersign_providers::{Mode, log::LogMessenger};
use countersign_service::{lifecycle::Lifecycle, limits::Limits, peers::PeerAddresses};
use countersign_testkit::{KurrentDb, MovableClock, NatsServer};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tonic::transport::{Channel, Endpoint};

use crate::{
    Caller, Tenant,
    cluster::{Cluster, Ground, Layout, Setting},
};

/// Which service of a house of many takes the calls, and passes on what is not its own.
const ENTRANCE: (ServiceName, usize) = (ServiceName::Challenge, 0);

/// What a house of one process is fitted with, besides the usual.
#[derive(Clone, Debug, Default)]
pub struct Fittings {
    /// What it takes on, from whom.
    pub limits: Limits,
    /// Who is let in besides the holders of keys.
    pub callers: CallersConfig,
}

/// A running house; its data directory goes with it.
#[derive(Debug)]
pub struct House {
    /// Its time.
    pub clock: Arc<MovableClock>,
    directory: TempDir,
    fittings: Fittings,
    body: Body,
    channel: Channel,
    connections: AtomicUsize,
}

#[derive(Debug)]
enum Body {
    Single { installation: Box<Installation>, server: Box<Server> },
    Many(Box<Cluster>),
}

impl House {
    /// Starts a house without data, in the setting of this run.
    pub async fn start() -> Self {
        let ground = match Setting::of_this_run() {
            Setting::Single => return Self::single().await,
            Setting::JetStream => Ground::JetStream(NatsServer::start().await),
            Setting::KurrentDb => {
                Ground::KurrentDb(KurrentDb::start().await, NatsServer::start().await)
            }
        };
        let directory = tempfile::tempdir().unwrap();
        let shown = directory.path().join("clock");
        let clock = Arc::new(MovableClock::shown_in(&shown).unwrap());
        let cluster = Cluster::start(ground, Layout::for_journeys(shown)).await;
        let channel = entrance(&cluster).await;
        Self {
            clock,
            directory,
            fittings: Fittings::default(),
            body: Body::Many(Box::new(cluster)),
            channel,
            connections: AtomicUsize::new(0),
        }
    }

    /// Starts a house of one process, whatever the setting: for what only that has.
    pub async fn single() -> Self {
        Self::limited(Limits::default()).await
    }

    /// Starts a house of one process with limits that are reached soon.
    pub async fn limited(limits: Limits) -> Self {
        Self::fitted(Fittings { limits, ..Fittings::default() }).await
    }

    /// Starts a house of one process with `fittings`.
    pub async fn fitted(fittings: Fittings) -> Self {
        Self::open(tempfile::tempdir().unwrap(), Arc::default(), &fittings).await
    }

    async fn open(directory: TempDir, clock: Arc<MovableClock>, fittings: &Fittings) -> Self {
        let world = World { clock: Arc::clone(&clock) as _, ..World::default() };
        let data_dir = directory.path().join("data");
        let installation = Installation::open(&data_dir, world).await.unwrap();
        let parts = parts(&installation, &clock, fittings);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Server::start(listener, parts, Lifecycle::new()).await.unwrap();
        let channel = connect(server.address()).await;
        let (installation, server) = (Box::new(installation), Box::new(server));
        Self {
            clock,
            directory,
            fittings: fittings.clone(),
            body: Body::Single { installation, server },
            channel,
            connections: AtomicUsize::new(0),
        }
    }

    /// Stops it in order and starts it again on the same data.
    pub async fn restart(self) -> Self {
        let Self { clock, directory, fittings, body, .. } = self;
        match body {
            Body::Single { installation, server } => {
                server.stop().await.unwrap();
                installation.close().await;
                drop(installation);
                Self::open(directory, clock, &fittings).await
            }
            Body::Many(mut cluster) => {
                cluster.stop_all().await;
                cluster.start_all().await;
                let channel = entrance(&cluster).await;
                Self {
                    clock,
                    directory,
                    fittings,
                    body: Body::Many(cluster),
                    channel,
                    connections: AtomicUsize::new(0),
                }
            }
        }
    }

    /// Stops it in order and returns its data directory.
    pub async fn stop(self) -> TempDir {
        match self.body {
            Body::Single { installation, server } => {
                server.stop().await.unwrap();
                installation.close().await;
            }
            Body::Many(mut cluster) => cluster.stop_all().await,
        }
        self.directory
    }

    /// Returns the time in the house.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Returns where it takes calls.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        match &self.body {
            Body::Single { server, .. } => server.address(),
            Body::Many(cluster) => cluster.address(ENTRANCE.0, ENTRANCE.1).parse().unwrap(),
        }
    }

    /// Returns where its first key, and what else a single process keeps, lies.
    #[must_use]
    pub fn data_dir(&self) -> std::path::PathBuf {
        match &self.body {
            Body::Single { .. } => self.directory.path().join("data"),
            Body::Many(cluster) => cluster.data_dir(),
        }
    }

    /// Opens another door of a house of one process: it serves `services` alone, and passes calls for others on to `peers`.
    ///
    /// # Panics
    /// Fails if the house is not of one process.
    pub async fn door(&self, services: &[ServiceName], peers: PeerAddresses) -> Server {
        let Body::Single { installation, .. } = &self.body else {
            panic!("only a house of one process has other doors")
        };
        let services = services.iter().copied().collect();
        let parts = parts(installation, &self.clock, &self.fittings);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let parts = Parts { services, peers, ..parts };
        Server::start(listener, parts, Lifecycle::new()).await.unwrap()
    }

    /// Returns the connection that callers share.
    #[must_use]
    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// Opens a connection of its own: of a house of many, to each replica of challenge in turn.
    pub async fn connect(&self) -> Channel {
        let number = self.connections.fetch_add(1, Ordering::Relaxed) % 2;
        match &self.body {
            Body::Single { server, .. } => connect(server.address()).await,
            Body::Many(cluster) => {
                connect(cluster.address(ENTRANCE.0, number).parse().unwrap()).await
            }
        }
    }

    /// Returns the caller with the first key.
    #[must_use]
    pub fn operator(&self) -> Caller {
        Caller::new(self.channel(), &first_key(&self.data_dir()))
    }

    /// Creates a tenant with an application `vpn` and keys.
    pub async fn tenant(&self, name: &str) -> Tenant {
        Tenant::create(&self.operator(), self.channel(), name, Arc::clone(&self.clock) as _).await
    }
}

async fn entrance(cluster: &Cluster) -> Channel {
    connect(cluster.address(ENTRANCE.0, ENTRANCE.1).parse().unwrap()).await
}

/// Reads the first key of a data directory.
#[must_use]
pub fn first_key(data_dir: &Path) -> String {
    fs::read_to_string(data_dir.join(FIRST_KEY_FILE)).unwrap().trim().to_owned()
}

/// Connects to a server on this machine.
pub async fn connect(address: SocketAddr) -> Channel {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
    endpoint.tcp_nodelay(true).connect().await.unwrap()
}

/// Puts together what serves everything there is.
fn parts(installation: &Installation, clock: &Arc<MovableClock>, fittings: &Fittings) -> Parts {
    Parts {
        identities: Arc::new(fittings.callers.identities(Arc::clone(clock) as _).unwrap()),
        tls: None,
        peer_tls: None,
        foundation: Arc::clone(&installation.foundation),
        bus: Arc::clone(&installation.bus),
        publisher: installation.publisher.clone(),
        messenger: Arc::new(LogMessenger::new(Mode::Development).unwrap()),
        signer: Arc::new(JwsSigner::new(
            installation.signing_key(),
            "https://mfa.example.com".to_owned(),
        )),
        request_timeout: Duration::from_secs(30),
        limits: fittings.limits.clone(),
        services: ServiceName::ALL.into(),
        peers: PeerAddresses::default(),
        event_log: installation.event_log,
        keyring: installation.keyring(),
    }
}
