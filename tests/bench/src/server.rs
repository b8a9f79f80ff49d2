//! The server to be measured: the real program, as a process of its own.

use std::{
    fs::{self, File},
    net::SocketAddr,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use countersign_nats::NatsSettings;
use countersign_testkit::{ReservedPort, reserve_ports};
use tokio::{
    process::Command,
    time::{sleep, timeout},
};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::{args::Plan, child::Child, client::connect};

const SERVING_WITHIN: Duration = Duration::from_secs(120);
/// Fine enough for times of opening that are told in hundredths of a second.
const LOOK_EVERY: Duration = Duration::from_millis(2);
/// Where the server's program writes the first key, in its data directory.
const FIRST_KEY_FILE: &str = "first-key";
const LOG_TAIL_LINES: usize = 5;
/// One key from one address asks for all that there is: rates that nothing reaches, and the limits' work done all the same.
const LIMITS: &str = "\
limits:
  caller: { requests: 10000000, seconds: 1, burst: 10000000 }
  tenant: { requests: 10000000, seconds: 1, burst: 10000000 }
  source: { requests: 10000000, seconds: 1, burst: 10000000 }
  user: { requests: 10000000, seconds: 1, burst: 10000000 }
";

/// What keeps the log of a server.
#[derive(Clone, Debug)]
pub(crate) enum Ground {
    /// Its own data directory.
    Embedded,
    /// NATS servers.
    JetStream(NatsSettings),
}

impl Ground {
    /// Returns the settings that lead to it, as variables of the environment.
    fn settings(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Embedded => Vec::new(),
            Self::JetStream(nats) => vec![
                ("COUNTERSIGN_EVENT_LOG", "jetstream".to_owned()),
                ("COUNTERSIGN_NATS", nats.servers.join(",")),
                ("COUNTERSIGN_NATS_REPLICAS", nats.replicas.to_string()),
            ],
        }
    }

    /// Makes what servers of this ground need, where they do not make it themselves.
    pub(crate) async fn init(&self, plan: &Plan, directory: &Path) -> anyhow::Result<()> {
        if matches!(self, Self::Embedded) {
            return Ok(());
        }
        let mut command = Command::new(plan.server()?);
        command.arg("init").arg("--data-dir").arg(directory.join("data")).envs(self.settings());
        let output = command.output().await.context("cannot run `countersign init`")?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        anyhow::ensure!(output.status.success(), "`countersign init` failed: {said}");
        Ok(())
    }
}

/// A server that serves. It logs as it is set to do by default, to a file.
#[derive(Debug)]
pub(crate) struct RunningServer {
    /// Its process.
    pub(crate) process: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// When its process was started.
    pub(crate) started: Instant,
    data: PathBuf,
    _port: ReservedPort,
}

impl RunningServer {
    /// Starts a server on `directory` and waits until it says that it serves.
    pub(crate) async fn start(plan: &Plan, directory: &Path) -> anyhow::Result<Self> {
        Self::start_on(plan, directory, Ground::Embedded, None).await
    }

    /// Starts a server of everything, or of one service, over `ground`, and waits until it says that it serves.
    pub(crate) async fn start_on(
        plan: &Plan,
        directory: &Path,
        ground: Ground,
        service: Option<&str>,
    ) -> anyhow::Result<Self> {
        if service.is_none() {
            ground.init(plan, directory).await?;
        }
        let [port] = reserve_ports();
        let address = port.address();
        let log = directory.join("log");
        let data = directory.join("data");
        let log_file =
            File::options().create(true).append(true).open(&log).context("cannot log")?;
        let settings = directory.join("limits.yaml");
        fs::write(&settings, LIMITS).context("cannot write settings")?;
        let mut command = Command::new(plan.server()?);
        command
            .arg("serve")
            .args(service)
            .arg("--config")
            .arg(&settings)
            .envs(ground.settings())
            .arg("--listen")
            .arg(address.to_string());
        command.arg("--data-dir").arg(&data);
        command.stdout(log_file.try_clone()?).stderr(log_file);
        let started = Instant::now();
        let process = Child::spawn(command)?;
        let mut server = Self { process, address, started, data, _port: port };
        let serves = timeout(SERVING_WITHIN, server.until_it_serves()).await;
        let late = || format!("it did not serve within {} s", SERVING_WITHIN.as_secs());
        serves.with_context(late).flatten().with_context(|| log_tail(&log))?;
        Ok(server)
    }

    /// Reads the key that the first start wrote.
    pub(crate) fn first_key(&self) -> anyhow::Result<String> {
        let path = self.data.join(FIRST_KEY_FILE);
        let key = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        Ok(key.trim().to_owned())
    }

    /// Returns its data directory.
    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    /// Stops it in order.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        self.process.stop().await.context("stopping the server")
    }

    async fn until_it_serves(&mut self) -> anyhow::Result<()> {
        while !serves(self.address).await {
            self.process.is_running()?;
            sleep(LOOK_EVERY).await;
        }
        Ok(())
    }
}

async fn serves(address: SocketAddr) -> bool {
    let Ok(channel) = connect(address).await else { return false };
    let request = HealthCheckRequest { service: String::new() };
    match HealthClient::new(channel).check(request).await {
        Ok(response) => response.into_inner().status() == ServingStatus::Serving,
        Err(_) => false,
    }
}

fn log_tail(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    let tail = lines.get(lines.len().saturating_sub(LOG_TAIL_LINES)..).unwrap_or_default();
    format!("the server's log ends with\n  {}\n", tail.join("\n  "))
}
