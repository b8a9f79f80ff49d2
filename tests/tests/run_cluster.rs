//! `make run-cluster`: a whole cluster as processes of one machine, from an empty directory to a sign-in, and again on what
//! that left.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed test says so by panicking"
)]

use std::{fs, path::Path, time::Duration};

use countersign_proto::audit::ReplayEventsRequest;
use countersign_tests::{
    Caller, Lines, connect, first_key,
    process::{command_of, program, signal},
    tools::{checkout, nats_server, python},
};
use rustix::process::Signal;
use tokio::{process::Child, time::timeout};

/// How long a run may take until it ends: far longer than it does.
const PATIENCE: Duration = Duration::from_secs(180);

/// Three NATS servers, and two replicas of each of five services.
const PROCESSES: usize = 3 + 2 * 5;

/// A run of the script.
struct Run {
    child: Child,
    said: Lines,
    complained: Lines,
}

impl Run {
    fn start(directory: &Path, more: &[&str]) -> Self {
        let script = checkout().join("deploy/cluster/run.py");
        let mut command = command_of(&python(), [script]);
        command.arg("--program").arg(program("countersign"));
        command.arg("--nats-server").arg(nats_server());
        command.arg("--directory").arg(directory).args(more);
        command.env("PYTHONUNBUFFERED", "1");
        let mut child = command.spawn().unwrap();
        let said = Lines::of(child.stdout.take().unwrap());
        let complained = Lines::of(child.stderr.take().unwrap());
        Self { child, said, complained }
    }

    /// Waits for a line.
    async fn says(&self, part: &str) -> String {
        let line = self.said.wait_for(part).await;
        line.unwrap_or_else(|| panic!("{}{}", self.said.so_far(), self.complained.so_far()))
    }

    /// Waits until it has ended by itself, and returns its exit code and all that it said.
    async fn ended(mut self) -> (Option<i32>, String) {
        let status = timeout(PATIENCE, self.child.wait()).await;
        let status = status.unwrap_or_else(|_| panic!("no end: {}", self.said.so_far())).unwrap();
        let said = self.said.all().await + &self.complained.all().await;
        (status.code(), said)
    }
}

/// Returns the commands of the processes that belong to a run in `directory`: all have it in their command or environment.
fn belonging(directory: &Path) -> Vec<String> {
    let directory = directory.to_str().unwrap();
    let ids = fs::read_dir("/proc").expect("processes can be listed here");
    let processes = ids.filter_map(|entry| {
        let of = entry.unwrap().path();
        // Processes end while they are listed.
        let command = fs::read_to_string(of.join("cmdline")).ok()?;
        let environment = fs::read(of.join("environ")).unwrap_or_default();
        let environment = String::from_utf8_lossy(&environment);
        let belongs = command.contains(directory) || environment.contains(directory);
        // What is left of a process that has ended, until its parent looks, has no command.
        (belongs && !command.is_empty()).then(|| command.replace('\0', " "))
    });
    processes.filter(|command| !command.contains("run.py")).collect()
}

fn assert_told(said: &str) {
    for service in ["enrollment", "challenge", "policy", "notification", "audit"] {
        let line = said.lines().find(|line| line.trim_start().starts_with(service));
        assert_eq!(line.map(|line| line.matches("http://").count()), Some(2), "{service}: {said}");
    }
    assert!(said.contains("What to try next"), "the demo does not come to its end: {said}");
}

/// Returns the tenant that a demo made; each makes one of its own.
fn demo_tenant(said: &str) -> String {
    let (_, rest) = said.split_once("--tenant ").unwrap();
    rest.split_whitespace().next().unwrap().to_owned()
}

/// Returns how many verifications the log holds of a tenant.
async fn verifications(operator: &Caller, tenant: &str) -> usize {
    let request = ReplayEventsRequest {
        event_types: vec!["ChallengeVerified".to_owned()],
        ..Default::default()
    };
    operator.naming(tenant).replay(request).await.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_runs_from_nothing_and_again_on_what_it_left() {
    let temporary = tempfile::tempdir().unwrap();
    let directory = temporary.path().join("cluster");
    let (code, first) = Run::start(&directory, &["--once"]).ended().await;
    assert_eq!(code, Some(0), "{first}");
    assert!(first.contains("Made: the log jetstream"), "{first}");
    assert_told(&first);
    assert_eq!(belonging(&directory), Vec::<String>::new());

    let run = Run::start(&directory, &[]);
    run.says("The cluster goes on").await;
    let second = run.said.so_far();
    assert!(second.contains("There already, and complete: the log jetstream"), "{second}");
    assert_told(&second);
    assert_eq!(belonging(&directory).len(), PROCESSES);
    let entrance = second.split_whitespace().find_map(|word| word.strip_prefix("http://")).unwrap();
    let channel = connect(entrance.parse().unwrap()).await;
    let operator = Caller::new(channel, &first_key(&directory.join("data")));
    let (before, now) = (demo_tenant(&first), demo_tenant(&second));
    assert_ne!(before, now, "the second demo finds the tenant of the first");
    let verified = verifications(&operator, &before).await;
    assert!(verified > 0, "what the first run did is there");
    assert_eq!(verified, verifications(&operator, &now).await);
    signal(&run.child, Signal::TERM);
    let (code, said) = run.ended().await;
    assert_eq!(code, Some(143), "{said}");
    assert_eq!(belonging(&directory), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_is_told_to_end_while_it_starts_leaves_nothing_behind() {
    let temporary = tempfile::tempdir().unwrap();
    let directory = temporary.path().join("cluster");
    for (how, expected) in [(Signal::TERM, 143), (Signal::INT, 0)] {
        let run = Run::start(&directory, &[]);
        run.says("the log jetstream").await;
        signal(&run.child, how);
        let (code, said) = run.ended().await;
        assert_eq!(code, Some(expected), "{said}");
        assert!(!said.contains("The cluster goes on"), "{said}");
        assert_eq!(belonging(&directory), Vec::<String>::new());
    }
}
