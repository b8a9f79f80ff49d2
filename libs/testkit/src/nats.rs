//! Real NATS servers with JetStream, on free ports: one, or three in a cluster. They are processes of their own, ended with
//! their handles.

use std::{
    fmt::Write as _,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use countersign_nats::{Nats, NatsSettings};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::{ReservedPort, reserve_ports};

/// How long a start may take: far longer than it does.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often a server is asked whether it answers.
const PAUSE: Duration = Duration::from_millis(20);

/// Returns the program, which `make tools` installs.
///
/// # Panics
/// Says how to install it if it is not there.
#[must_use]
pub fn nats_server_program() -> PathBuf {
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let program = checkout.join(".tools/venv/bin/nats-server");
    assert!(program.is_file(), "{} is not there: run `make tools`", program.display());
    program
}

/// A server that can be stopped, killed and started again on what it kept.
#[derive(Debug)]
pub struct NatsServer {
    name: String,
    directory: TempDir,
    port: ReservedPort,
    child: Option<Child>,
}

impl NatsServer {
    /// Starts one server that syncs every message to disk before it answers.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn start() -> Self {
        let [port] = reserve_ports();
        let server = Self::place("solo", port, "");
        server.started().await
    }

    fn place(name: &str, port: ReservedPort, more: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory for the server");
        let mut settings = String::new();
        // `sync_interval: always` is what makes an answered append durable.
        write!(
            settings,
            "server_name: {name}\nlisten: {}\nmax_payload: 8MB\n\
             jetstream {{ store_dir: \"{}\", sync_interval: always, max_mem: 256MB, max_file: 8GB }}\n{more}",
            port.address(),
            directory.path().join("store").display()
        )
        .expect("a string takes everything");
        fs::write(directory.path().join("nats.conf"), settings).expect("settings are written");
        Self { name: name.to_owned(), directory, port, child: None }
    }

    async fn started(mut self) -> Self {
        self.restart().await;
        self
    }

    fn spawn(&mut self) {
        let log = fs::File::options().create(true).append(true).open(self.log_path());
        let log = log.expect("the server's log is opened");
        let child = Command::new(nats_server_program())
            .arg("--config")
            .arg(self.directory.path().join("nats.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn();
        self.child = Some(child.expect("the server is started"));
    }

    fn log_path(&self) -> PathBuf {
        self.directory.path().join("log")
    }

    /// Starts it again on what it kept, and waits until it answers.
    ///
    /// # Panics
    /// If it does not.
    pub async fn restart(&mut self) {
        self.kill().await;
        self.spawn();
        self.answers().await;
    }

    async fn answers(&mut self) {
        let began = Instant::now();
        while tokio::net::TcpStream::connect(self.address()).await.is_err() {
            let ended = self.child.as_mut().and_then(|child| child.try_wait().ok().flatten());
            let log = || fs::read_to_string(self.log_path()).unwrap_or_default();
            assert!(ended.is_none(), "nats-server ended:\n{}", log());
            assert!(began.elapsed() < PATIENCE, "nats-server does not answer:\n{}", log());
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Ends it as a power cut would.
    ///
    /// # Panics
    /// If the operating system does not let it.
    pub async fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().await.expect("the server is killed");
        }
    }

    /// Returns whether its process runs.
    #[must_use]
    pub const fn is_running(&self) -> bool {
        self.child.is_some()
    }

    /// Returns where it keeps its streams.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        self.directory.path().join("store")
    }

    /// Returns its name, as JetStream says who leads.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns its address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("nats://{}", self.address())
    }

    /// Returns where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// Returns settings that lead to it.
    #[must_use]
    pub fn settings(&self) -> NatsSettings {
        NatsSettings { servers: vec![self.url()], ..NatsSettings::default() }
    }

    /// Opens a connection.
    ///
    /// # Panics
    /// If there is none within some seconds.
    pub async fn connect(&self) -> Nats {
        connect(&self.settings()).await
    }
}

/// Three servers in a cluster.
#[derive(Debug)]
pub struct NatsCluster {
    servers: [NatsServer; 3],
    /// Where the servers talk to each other.
    _routing: [ReservedPort; 3],
}

impl NatsCluster {
    /// Starts three servers, and waits until they have elected who places streams.
    ///
    /// # Panics
    /// If they do not start.
    pub async fn start() -> Self {
        let [a, b, c] = reserve_ports();
        let routing = reserve_ports::<3>();
        let routes = routing.each_ref().map(|port| format!("\"nats://{}\"", port.address()));
        let routes = routes.join(", ");
        let place = |name: &str, port: ReservedPort, route: &ReservedPort| {
            let route = route.address();
            let cluster =
                format!("cluster {{ name: testkit, listen: {route}, routes: [{routes}] }}\n");
            NatsServer::place(name, port, &cluster)
        };
        let [ra, rb, rc] = &routing;
        let mut servers = [place("n1", a, ra), place("n2", b, rb), place("n3", c, rc)];
        for server in &mut servers {
            server.spawn();
        }
        for server in &mut servers {
            server.answers().await;
        }
        let cluster = Self { servers, _routing: routing };
        cluster.elected().await;
        cluster
    }

    /// Waits until JetStream answers, which it does once the servers have elected a leader.
    async fn elected(&self) {
        let nats = self.connect().await;
        let began = Instant::now();
        while nats.jetstream().query_account().await.is_err() {
            assert!(began.elapsed() < PATIENCE, "the cluster elects no leader");
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Returns the servers.
    #[must_use]
    pub const fn servers(&self) -> &[NatsServer; 3] {
        &self.servers
    }

    /// Returns the server of that name.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn server_mut(&mut self, name: &str) -> &mut NatsServer {
        let found = self.servers.iter_mut().find(|server| server.name == name);
        found.expect("the servers are n1, n2 and n3")
    }

    /// Returns the name of the server that leads a stream.
    ///
    /// # Panics
    /// If nobody does within some seconds.
    pub async fn leader_of(&self, stream: &str) -> String {
        let nats = self.connect().await;
        let began = Instant::now();
        loop {
            let leader = match nats.jetstream().get_stream(stream).await {
                Ok(found) => found.cached_info().cluster.as_ref().and_then(|c| c.leader.clone()),
                Err(_) => None,
            };
            match leader {
                Some(leader) if !leader.is_empty() => return leader,
                Some(_) | None => assert!(began.elapsed() < PATIENCE, "nobody leads {stream}"),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Returns settings that lead to all of them, with three replicas.
    #[must_use]
    pub fn settings(&self) -> NatsSettings {
        let servers = self.servers.iter().map(NatsServer::url).collect();
        NatsSettings { servers, replicas: 3, ..NatsSettings::default() }
    }

    /// Opens a connection.
    ///
    /// # Panics
    /// If there is none within some seconds.
    pub async fn connect(&self) -> Nats {
        connect(&self.settings()).await
    }
}

async fn connect(settings: &NatsSettings) -> Nats {
    let nats = Nats::connect(settings).await.expect("the settings can be used");
    nats.ready(PATIENCE).await.expect("a server answers");
    nats
}
