//! The whole house in this process: the real services on a free port, over the embedded log, with a clock that tests move.

use std::{fs, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use countersign::serve::{FIRST_KEY_FILE, Installation, JwsSigner, Parts, Server};
use countersign_core::{Clock as _, Timestamp};
use countersign_providers::{Mode, log::LogMessenger};
use countersign_service::{OsRandom, lifecycle::Lifecycle};
use countersign_testkit::MovableClock;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tonic::transport::{Channel, Endpoint};

use crate::{Caller, Tenant};

/// A running house; its data directory goes with it.
#[derive(Debug)]
pub struct House {
    /// Its time.
    pub clock: Arc<MovableClock>,
    directory: TempDir,
    installation: Installation,
    server: Server,
    channel: Channel,
}

impl House {
    /// Starts a house with an empty data directory.
    pub async fn start() -> Self {
        Self::open(tempfile::tempdir().unwrap(), Arc::default()).await
    }

    async fn open(directory: TempDir, clock: Arc<MovableClock>) -> Self {
        let time = Arc::clone(&clock) as _;
        let data_dir = directory.path().join("data");
        let installation = Installation::open(&data_dir, time, Arc::new(OsRandom)).await.unwrap();
        let parts = Parts {
            foundation: Arc::clone(&installation.foundation),
            checkpoints: installation.checkpoints(),
            messenger: Arc::new(LogMessenger::new(Mode::Development).unwrap()),
            signer: Arc::new(JwsSigner::new(
                installation.signing_key(),
                "https://mfa.example.com".to_owned(),
            )),
            request_timeout: Duration::from_secs(30),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Server::start(listener, parts, Lifecycle::new()).await.unwrap();
        let channel = connect(server.address()).await;
        Self { clock, directory, installation, server, channel }
    }

    /// Stops it in order and starts it again on the same data.
    pub async fn restart(self) -> Self {
        let Self { clock, directory, installation, server, .. } = self;
        server.stop().await.unwrap();
        installation.close().await;
        drop(installation);
        Self::open(directory, clock).await
    }

    /// Stops it in order and returns its data directory.
    pub async fn stop(self) -> TempDir {
        self.server.stop().await.unwrap();
        self.installation.close().await;
        self.directory
    }

    /// Returns the time in the house.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Returns where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Returns where its data lies.
    #[must_use]
    pub fn data_dir(&self) -> std::path::PathBuf {
        self.directory.path().join("data")
    }

    /// Returns the connection that callers share.
    #[must_use]
    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// Opens a connection of its own.
    pub async fn connect(&self) -> Channel {
        connect(self.address()).await
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
