//! A server of the demo's own: the same binary as a child process, which an interrupt ends in order.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::Context as _;
use tokio::{
    process::{Child, Command},
    time::{sleep, timeout},
};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::cli::{
    Failure, Screen, ServerAddress, connect,
    screen::{FAINT, HEADING},
};

/// Opening a log that was not closed in order takes a while; nothing takes longer than this.
const READY_WITHIN: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Calls under way are let finish when the server stops.
const STOP_WITHIN: Duration = Duration::from_secs(15);

/// A running server that is stopped by its handle.
#[derive(Debug)]
pub(crate) struct LocalServer {
    child: Child,
    address: ServerAddress,
    data_dir: PathBuf,
    log: PathBuf,
}

impl LocalServer {
    /// Starts a server on `data_dir` and waits until it serves. If `listen` is in use it takes a free port.
    pub(crate) async fn start(listen: SocketAddr, data_dir: &Path) -> Result<Self, Failure> {
        let mut server = Self::spawn(listen, data_dir).map_err(Failure::Serving)?;
        match timeout(READY_WITHIN, server.until_ready()).await {
            Ok(Ok(())) => Ok(server),
            Ok(Err(error)) => Err(Failure::Serving(error)),
            Err(_) => {
                let late = anyhow::anyhow!("it did not serve within {} s", READY_WITHIN.as_secs());
                let error = server.with_log_tail(late);
                server.stop().await;
                Err(Failure::Serving(error))
            }
        }
    }

    fn spawn(listen: SocketAddr, data_dir: &Path) -> anyhow::Result<Self> {
        let listen = free_address(listen)?;
        let address = format!("http://{listen}").parse().map_err(anyhow::Error::msg)?;
        // For the owner alone, as the server itself would make it.
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(data_dir)
            .with_context(|| format!("cannot create {}", data_dir.display()))?;
        let log = data_dir.join("demo-server.log");
        let log_file =
            fs::File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let program = std::env::current_exe().context("cannot find this program's own file")?;
        let child = Command::new(program)
            .arg("serve")
            .arg("--listen")
            .arg(listen.to_string())
            .arg("--data-dir")
            .arg(data_dir)
            .stdin(Stdio::null())
            .stdout(log_file.try_clone()?)
            .stderr(log_file)
            // A group of its own: an interrupt from the terminal reaches only us, and we stop it in order.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .context("cannot start the server")?;
        Ok(Self { child, address, data_dir: data_dir.to_owned(), log })
    }

    pub(crate) const fn address(&self) -> &ServerAddress {
        &self.address
    }

    /// Says what was started.
    pub(crate) fn opening(&self, screen: &mut Screen) -> Result<(), Failure> {
        screen.line(format_args!(
            "{HEADING}A server listens at {}{HEADING:#}\n{FAINT}its data: {}, its log: {}, its first key: {}{FAINT:#}",
            self.address,
            self.data_dir.display(),
            self.log.display(),
            self.data_dir.join("first-key").display(),
        ))
    }

    /// Returns when the server says that it serves, or fails when it has ended.
    async fn until_ready(&mut self) -> anyhow::Result<()> {
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Err(self.with_log_tail(anyhow::anyhow!("it ended at once: {status}")));
            }
            if serves(&self.address).await {
                return Ok(());
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Puts the last lines of the server's log below an error.
    fn with_log_tail(&self, error: anyhow::Error) -> anyhow::Error {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        let tail = lines.get(lines.len().saturating_sub(5)..).unwrap_or_default().join("\n  ");
        anyhow::anyhow!("{}:\n  {tail}", self.log.display()).context(error)
    }

    /// Says that the server goes on, and waits until it has ended by itself.
    pub(crate) async fn keep_running(&mut self, screen: &mut Screen) -> Result<(), Failure> {
        screen.line(format_args!(
            "\n{HEADING}The server goes on at {}{HEADING:#} {FAINT}(Ctrl-C ends it; its data stays){FAINT:#}",
            self.address
        ))?;
        let ended = anyhow::anyhow!("it ended by itself: {}", self.child.wait().await?);
        Err(Failure::Serving(self.with_log_tail(ended)))
    }

    /// Asks the server to end, and ends it if it does not.
    pub(crate) async fn stop(&mut self) {
        let id = self.child.id().and_then(|id| i32::try_from(id).ok());
        if let Some(process) = id.and_then(rustix::process::Pid::from_raw)
            && rustix::process::kill_process(process, rustix::process::Signal::TERM).is_ok()
            && timeout(STOP_WITHIN, self.child.wait()).await.is_ok()
        {
            return;
        }
        // Dropping the handle kills whatever is left.
        self.child.start_kill().ok();
    }
}

/// Returns `wanted` if it is free, else the same address with a port that is.
fn free_address(wanted: SocketAddr) -> anyhow::Result<SocketAddr> {
    let free = TcpListener::bind(wanted)
        .or_else(|_| TcpListener::bind(SocketAddr::new(wanted.ip(), 0)))
        .with_context(|| format!("cannot listen at {}", wanted.ip()))?;
    Ok(free.local_addr()?)
}

async fn serves(address: &ServerAddress) -> bool {
    let Ok(channel) = connect(address, None).await else { return false };
    let request = HealthCheckRequest { service: String::new() };
    match HealthClient::new(channel).check(request).await {
        Ok(response) => response.into_inner().status() == ServingStatus::Serving,
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_is_passed_over() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let wanted = taken.local_addr().unwrap();
        let free = free_address(wanted).unwrap();
        assert_eq!(free.ip(), wanted.ip());
        assert_ne!(free.port(), wanted.port());
    }

    #[test]
    fn a_free_port_is_taken_as_wanted() {
        let wanted = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert_eq!(free_address(wanted).unwrap(), wanted);
    }
}
