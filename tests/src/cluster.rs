//! The house as separate processes over a log that they share: the real program once for every replica of every service,
//! real NATS servers, and KurrentDB's double where that keeps the log.

use std::{
    collections::BTreeMap,
    env,
    path::PathBuf,
    time::{Duration, Instant},
};

use countersign::serve::ServiceName;
use countersign_testkit::{
    CuttableProxy, KurrentDb, NatsCluster, NatsServer, ReservedPort, reserve_ports,
};
use tempfile::TempDir;
use tokio::process::Command;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::{
    Caller, Process, Wire, connect, first_key,
    process::{command_of, program, run, text},
    wire::Wires,
};

/// Names the file that shows the time to processes whose time is moved.
pub const CLOCK_VARIABLE: &str = "COUNTERSIGN_TEST_CLOCK";

/// How long a start may take: far longer than it does.
const PATIENCE: Duration = Duration::from_secs(60);

const PAUSE: Duration = Duration::from_millis(20);

/// What keeps the log of a cluster, and what its services talk through.
#[derive(Debug)]
pub enum Ground {
    /// One NATS server.
    JetStream(NatsServer),
    /// Three NATS servers, every stream on all of them.
    JetStreamCluster(Box<NatsCluster>),
    /// The double of KurrentDB, and one NATS server for the bus and the keys.
    KurrentDb(KurrentDb, NatsServer),
}

impl Ground {
    /// Returns the settings that lead to it, as variables of the environment.
    #[must_use]
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        let (log, nats) = match self {
            Self::JetStream(server) => ("jetstream".to_owned(), server.settings()),
            Self::JetStreamCluster(cluster) => ("jetstream".to_owned(), cluster.settings()),
            Self::KurrentDb(double, server) => (double.url(), server.settings()),
        };
        vec![
            ("COUNTERSIGN_EVENT_LOG", log),
            ("COUNTERSIGN_NATS", nats.servers.join(",")),
            ("COUNTERSIGN_NATS_REPLICAS", nats.replicas.to_string()),
        ]
    }
}

/// How a cluster is laid out.
#[derive(Clone, Debug)]
pub struct Layout {
    /// How many replicas each service has.
    pub replicas: BTreeMap<ServiceName, usize>,
    /// The program to run.
    pub program: PathBuf,
    /// The file that shows the time; `None` for real time.
    pub clock: Option<PathBuf>,
    /// Which wires can be cut.
    pub wires: Vec<Wire>,
    /// Variables of the environment besides those that a cluster needs.
    pub variables: Vec<(&'static str, &'static str)>,
}

impl Layout {
    /// Every service `replicas` times, in real time.
    #[must_use]
    pub fn of(replicas: usize) -> Self {
        let replicas = ServiceName::ALL.into_iter().map(|service| (service, replicas)).collect();
        Self {
            replicas,
            program: program("countersign"),
            clock: None,
            wires: Vec::new(),
            variables: Vec::new(),
        }
    }

    /// The same with `service` as often as `replicas` says.
    #[must_use]
    pub fn with(mut self, service: ServiceName, replicas: usize) -> Self {
        self.replicas.insert(service, replicas);
        self
    }

    /// The same with wires that can be cut.
    #[must_use]
    pub fn cuttable(mut self, wires: impl IntoIterator<Item = Wire>) -> Self {
        self.wires.extend(wires);
        self
    }

    /// The same with one more variable of the environment.
    #[must_use]
    pub fn with_variable(mut self, name: &'static str, value: &'static str) -> Self {
        self.variables.push((name, value));
        self
    }

    /// Every service once but challenge twice, with a time that is shown in `clock`.
    #[must_use]
    pub fn for_journeys(clock: PathBuf) -> Self {
        let layout = Self::of(1).with(ServiceName::Challenge, 2);
        Self { program: program("countersign-node"), clock: Some(clock), ..layout }
    }
}

/// A running cluster. Everything ends with it.
#[derive(Debug)]
pub struct Cluster {
    /// What keeps the log.
    pub ground: Ground,
    layout: Layout,
    directory: TempDir,
    addresses: BTreeMap<ServiceName, Vec<String>>,
    _ports: Vec<ReservedPort>,
    wires: Wires,
    processes: BTreeMap<(ServiceName, usize), Process>,
}

impl Cluster {
    /// Makes what services need, starts them, and returns once all are ready.
    pub async fn start(ground: Ground, layout: Layout) -> Self {
        let mut ports = Vec::new();
        let addresses = layout.replicas.iter().map(|(&service, &replicas)| {
            let of_service = (0..replicas).map(|_| {
                let [port] = reserve_ports();
                let address = port.address().to_string();
                ports.push(port);
                address
            });
            (service, of_service.collect::<Vec<_>>())
        });
        let addresses = addresses.collect();
        let wires = Wires::start(&layout.wires, &ground, &addresses).await;
        let directory = tempfile::tempdir().unwrap();
        let processes = BTreeMap::new();
        let mut cluster =
            Self { ground, layout, directory, addresses, _ports: ports, wires, processes };
        cluster.init().await;
        cluster.start_all().await;
        cluster
    }

    async fn init(&self) {
        let mut init = self.command(["init"]);
        init.arg("--json");
        let output = run(init).await;
        let said = text(&output.stderr);
        assert!(output.status.success(), "init failed: {said}");
    }

    /// Prepares to run the program against the ground.
    fn command<const N: usize>(&self, words: [&str; N]) -> Command {
        let mut command = command_of(&self.layout.program, words);
        command.envs(self.ground.settings());
        command.env("COUNTERSIGN_DATA_DIR", self.data_dir());
        command.env("COUNTERSIGN_ISSUER", "https://mfa.example.com");
        command.envs(self.layout.variables.iter().copied());
        if let Some(clock) = &self.layout.clock {
            command.env(CLOCK_VARIABLE, clock);
        }
        command
    }

    /// Starts every replica that does not run, and returns once all are ready.
    pub async fn start_all(&mut self) {
        let all = self.replicas();
        for &(service, number) in &all {
            if !self.processes.contains_key(&(service, number)) {
                let process = self.spawn(service, number).await;
                self.processes.insert((service, number), process);
            }
        }
        for (service, number) in all {
            self.ready(service, number).await;
        }
    }

    /// Starts one replica, and returns once it is ready.
    pub async fn start_one(&mut self, service: ServiceName, number: usize) {
        let process = self.spawn(service, number).await;
        self.processes.insert((service, number), process);
        self.ready(service, number).await;
    }

    async fn spawn(&self, service: ServiceName, number: usize) -> Process {
        let address = self.address(service, number);
        let mut command = self.command(["serve", service.as_str(), "--log-format", "json"]);
        command.envs(self.wires.settings(service));
        let peers = self.replicas().into_iter().map(|(to, number)| {
            let address = self.wires.peer(service, to, number);
            format!("{to}=http://{}", address.as_deref().unwrap_or(self.address(to, number)))
        });
        command.env("COUNTERSIGN_PEERS", peers.collect::<Vec<_>>().join(","));
        command.args(["--listen", address]);
        Process::spawn(command, &self.data_dir()).await
    }

    /// Waits until a replica says that it serves.
    async fn ready(&self, service: ServiceName, number: usize) {
        let began = Instant::now();
        let process = self.process(service, number);
        let mut health = HealthClient::new(process.connect().await);
        loop {
            let request = HealthCheckRequest { service: String::new() };
            let status = health.check(request).await.map(|answer| answer.into_inner().status());
            if matches!(status, Ok(ServingStatus::Serving)) {
                return;
            }
            let log = || process.log().so_far();
            assert!(began.elapsed() < PATIENCE, "{service} is not ready: {status:?}\n{}", log());
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Returns every replica.
    #[must_use]
    pub fn replicas(&self) -> Vec<(ServiceName, usize)> {
        let replicas = self.layout.replicas.iter();
        replicas.flat_map(|(&service, &count)| (0..count).map(move |n| (service, n))).collect()
    }

    /// Returns where a replica listens, whether it runs or not.
    #[must_use]
    pub fn address(&self, service: ServiceName, number: usize) -> &str {
        self.addresses.get(&service).and_then(|of| of.get(number)).unwrap()
    }

    /// Returns a replica that runs.
    #[must_use]
    pub fn process(&self, service: ServiceName, number: usize) -> &Process {
        self.processes.get(&(service, number)).unwrap()
    }

    /// Takes a replica out, to be stopped or killed.
    #[must_use]
    pub fn take(&mut self, service: ServiceName, number: usize) -> Process {
        self.processes.remove(&(service, number)).unwrap()
    }

    /// Returns a wire of the layout, to be cut, stalled and mended.
    #[must_use]
    pub fn wire(&mut self, wire: Wire) -> &mut CuttableProxy {
        self.wires.get_mut(wire).unwrap()
    }

    /// Stops every replica in order.
    pub async fn stop_all(&mut self) {
        let processes = std::mem::take(&mut self.processes);
        for process in processes.values() {
            process.terminate();
        }
        for (_, process) in processes {
            let ended = process.ended().await;
            assert!(ended.status.success(), "{}", ended.log);
        }
    }

    /// Returns where the first API key and the shared keys are.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// Returns a caller with the first key at one replica, which passes on what is not its own.
    pub async fn operator(&self, service: ServiceName, number: usize) -> Caller {
        let channel = connect(self.address(service, number).parse().unwrap()).await;
        Caller::new(channel, &first_key(&self.data_dir()))
    }

    /// Prepares to run an operator's command that opens the log and the keys itself.
    #[must_use]
    pub fn operate<const N: usize>(&self, words: [&str; N]) -> Command {
        self.command(words)
    }

    /// Returns all that the replicas which run have logged.
    #[must_use]
    pub fn logs(&self) -> String {
        self.processes.values().map(|process| process.log().so_far()).collect()
    }
}

/// In which setting the journeys run: in one process, or in many over one log or another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// One process on the embedded log.
    Single,
    /// Separate processes on JetStream.
    JetStream,
    /// Separate processes on the double of KurrentDB.
    KurrentDb,
}

impl Setting {
    /// Reads the setting of this run from `COUNTERSIGN_TEST_SETTING`: `single` (the default), `jetstream` or
    /// `kurrentdb`.
    ///
    /// # Panics
    /// If it is another one.
    #[must_use]
    pub fn of_this_run() -> Self {
        let setting = env::var_os("COUNTERSIGN_TEST_SETTING").unwrap_or_default();
        match setting.to_str() {
            Some("" | "single") => Self::Single,
            Some("jetstream") => Self::JetStream,
            Some("kurrentdb") => Self::KurrentDb,
            other => {
                panic!("COUNTERSIGN_TEST_SETTING is {other:?}, not single, jetstream or kurrentdb")
            }
        }
    }
}
