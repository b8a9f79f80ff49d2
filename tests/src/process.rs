//! The real program as a process of its own: a server that is stopped, killed and always ended, and commands that end by
//! themselves.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{ExitStatus, Output, Stdio},
    sync::Arc,
    time::Duration,
};

use countersign_service::SystemClock;
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    process::{Child, Command},
    time::timeout,
};
use tonic::transport::Channel;

use crate::{
    Caller, Lines, Tenant,
    house::{connect, first_key},
};

/// How long anything may take: far longer than anything does, so that a hang fails instead of hanging.
const PATIENCE: Duration = Duration::from_secs(60);

/// Returns where a program of ours lies: beside the tests' own, where cargo puts what it builds.
///
/// # Panics
/// Says how to build it if it is not there.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let program = test.ancestors().nth(2).unwrap().join(name);
    assert!(
        program.is_file(),
        "these tests run {}, which is not there: build it with `cargo build --workspace --bins`",
        program.display()
    );
    program
}

/// Prepares to run the program with `words`, untouched by the settings of whoever runs the tests. It ends with its handle.
#[must_use]
pub fn command<S: AsRef<std::ffi::OsStr>>(words: impl IntoIterator<Item = S>) -> Command {
    command_of(&program("countersign"), words)
}

/// Prepares to run `program` with `words`, as [`command`] does.
#[must_use]
pub fn command_of<S: AsRef<std::ffi::OsStr>>(
    program: &Path,
    words: impl IntoIterator<Item = S>,
) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"COUNTERSIGN_") {
            command.env_remove(name);
        }
    }
    command.args(words).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.kill_on_drop(true);
    command
}

/// Prepares to serve `data_dir` at a free port.
#[must_use]
pub fn serve(data_dir: &Path) -> Command {
    let mut command = command(["serve", "--listen", "127.0.0.1:0", "--log-format", "json"]);
    command.arg("--data-dir").arg(data_dir);
    command
}

/// Makes `command` run as somebody to whom permissions apply: nothing is forbidden to root. `directory` is one that
/// anybody gets at, for a copy of the program: a checkout may lie in a directory of root's own.
#[must_use]
pub fn as_somebody(directory: &Path, command: Command) -> Command {
    if !rustix::process::geteuid().is_root() {
        return command;
    }
    let copy = directory.join("countersign");
    if !copy.exists() {
        // By another process: what this one has open for writing cannot be run, and a child that another thread forks
        // meanwhile has it open too.
        let copied = std::process::Command::new("cp")
            .arg(program("countersign"))
            .arg(&copy)
            .status()
            .unwrap();
        assert!(copied.success());
    }
    let mut as_nobody = Command::new(copy);
    as_nobody.args(command.as_std().get_args()).kill_on_drop(true).uid(65_534).gid(65_534);
    as_nobody.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    as_nobody
}

/// Runs a command to its end.
pub async fn run(mut command: Command) -> Output {
    let words = format!("{:?}", command.as_std());
    let output = timeout(PATIENCE, command.output()).await;
    output.unwrap_or_else(|_| panic!("it does not end: {words}")).unwrap()
}

/// Looks over the data directory of a server that has ended, and returns what `countersign doctor` says.
///
/// # Panics
/// Fails if it finds anything.
pub async fn doctor(data_dir: &Path) -> String {
    let mut command = command(["doctor", "--data-dir"]);
    command.arg(data_dir);
    let output = run(command).await;
    let (found, said) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "the doctor found damage:\n{found}{said}");
    found
}

/// Reads what a program printed.
#[must_use]
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// How a process ended, and all that it logged.
#[derive(Debug)]
pub struct Ended {
    /// How.
    pub status: ExitStatus,
    /// Its standard error.
    pub log: String,
}

/// A running server.
#[derive(Debug)]
pub struct Process {
    child: Child,
    address: SocketAddr,
    data_dir: PathBuf,
    log: Lines,
}

impl Process {
    /// Serves `data_dir`, and returns once it does.
    pub async fn start(data_dir: &Path) -> Self {
        Self::spawn(serve(data_dir), data_dir).await
    }

    /// Runs `command`, which is to serve `data_dir` and to log JSON, and returns once it does.
    pub async fn spawn(command: Command, data_dir: &Path) -> Self {
        Self::spawn_until(command, data_dir, r#""message":"serving""#, |serving| {
            let serving: serde_json::Value = serde_json::from_str(serving).unwrap();
            let address = serving.pointer("/fields/address").and_then(|address| address.as_str());
            address.unwrap().to_owned()
        })
        .await
    }

    /// Runs `command`, which is to serve `data_dir` and to log text, and returns once it does.
    pub async fn spawn_in_text(command: Command, data_dir: &Path) -> Self {
        const SERVING: &str = ": serving address=";
        Self::spawn_until(command, data_dir, SERVING, |serving| {
            let (_, rest) = serving.split_once(SERVING).unwrap();
            rest.split(' ').next().unwrap().to_owned()
        })
        .await
    }

    async fn spawn_until(
        mut command: Command,
        data_dir: &Path,
        serving: &str,
        address: fn(&str) -> String,
    ) -> Self {
        let mut child = command.spawn().unwrap();
        let log = Lines::of(child.stderr.take().unwrap());
        let Some(serving) = log.wait_for(serving).await else {
            let status = child.wait().await.unwrap();
            panic!("it ended before it served: {status}\n{}", log.so_far())
        };
        let address = address(&serving).parse().unwrap();
        Self { child, address, data_dir: data_dir.to_owned(), log }
    }

    /// Returns where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns where its data lies.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// Returns its process id.
    ///
    /// # Panics
    /// Fails if it has ended.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id().unwrap()
    }

    /// Returns what it logs.
    #[must_use]
    pub const fn log(&self) -> &Lines {
        &self.log
    }

    /// Opens a connection of its own.
    pub async fn connect(&self) -> Channel {
        connect(self.address).await
    }

    /// Returns the key that its first start wrote.
    #[must_use]
    pub fn first_key(&self) -> String {
        first_key(&self.data_dir)
    }

    /// Returns a caller with the first key, over a connection of its own.
    pub async fn operator(&self) -> Caller {
        Caller::new(self.connect().await, &self.first_key())
    }

    /// Creates a tenant with an application `vpn` and keys; its users live in real time.
    pub async fn tenant(&self, name: &str) -> Tenant {
        let operator = self.operator().await;
        Tenant::create(&operator, self.connect().await, name, Arc::new(SystemClock)).await
    }

    /// Prepares to run a command of the command line against it with the first key.
    #[must_use]
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = command(words);
        command
            .env("COUNTERSIGN_SERVER", format!("http://{}", self.address))
            .env("COUNTERSIGN_API_KEY_FILE", self.data_dir.join("first-key"));
        command
    }

    /// Asks it to stop, and returns at once.
    pub fn terminate(&self) {
        signal(&self.child, Signal::TERM);
    }

    /// Interrupts it as from the keyboard, and returns at once.
    pub fn interrupt(&self) {
        signal(&self.child, Signal::INT);
    }

    /// Waits until it has ended by itself.
    pub async fn ended(mut self) -> Ended {
        let status = timeout(PATIENCE, self.child.wait()).await;
        let status = status.unwrap_or_else(|_| panic!("it does not end:\n{}", self.log.so_far()));
        Ended { status: status.unwrap(), log: self.log.all().await }
    }

    /// Stops it in order.
    pub async fn stop(self) -> Ended {
        self.terminate();
        self.ended().await
    }

    /// Ends it as a power cut would: it gets no chance to do anything.
    pub async fn kill(mut self) -> Ended {
        self.child.start_kill().unwrap();
        self.ended().await
    }
}

/// Sends a signal to a process that runs.
///
/// # Panics
/// Fails if it has ended.
pub fn signal(child: &Child, signal: Signal) {
    let id = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw).unwrap();
    kill_process(id, signal).unwrap();
}
