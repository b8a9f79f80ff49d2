//! The program against engines that many processes share: it starts writers of its own, and the server goes away.

#![expect(clippy::unwrap_used, reason = "a failed test says so by panicking")]

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use countersign_eventsourcing::contract;
use countersign_testkit::{KurrentDb, NatsServer};
use tokio::process::{Child, Command};

/// How long a check may take; far longer than any does.
const WITHIN: &str = "120";

/// How often it is looked whether a hook was run.
const PAUSE: Duration = Duration::from_millis(10);

/// A file that says that something has been asked for, and one that says that it has been done.
struct Hook {
    asked: PathBuf,
    done: PathBuf,
}

impl Hook {
    fn new(directory: &Path, name: &str) -> Self {
        Self {
            asked: directory.join(format!("{name}-asked")),
            done: directory.join(format!("{name}-done")),
        }
    }

    /// Returns the command that asks, and waits until it is done.
    fn command(&self) -> String {
        let (asked, done) = (self.asked.display(), self.done.display());
        format!("touch {asked}; until [ -e {done} ]; do sleep 0.02; done")
    }

    /// Waits until it is asked for; fails if the program ends before.
    async fn asked(&self, program: &mut Child) {
        while !self.asked.exists() {
            assert_eq!(program.try_wait().unwrap(), None, "it ended without running the hook");
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn done(&self) {
        std::fs::write(&self.done, "").unwrap();
    }
}

/// Runs everything against the log at `address`, and makes the server go away and come back when the program asks for it.
async fn assert_passes(address: &str, away: impl AsyncFnOnce(&Hook, &Hook, &mut Child)) {
    let directory = tempfile::tempdir().unwrap();
    let (before, after) =
        (Hook::new(directory.path(), "before"), Hook::new(directory.path(), "after"));
    let mut program = Command::new(env!("CARGO_BIN_EXE_countersign-engine-check"))
        .env("COUNTERSIGN_LOG", address)
        .args(["--create", "--faults", "--within", WITHIN])
        .args(["--hook-before-fault", &before.command(), "--hook-after", &after.command()])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    away(&before, &after, &mut program).await;
    let ended = program.wait_with_output().await.unwrap();
    let text = String::from_utf8(ended.stdout).unwrap();
    assert!(ended.status.success(), "{text}");
    let passed = contract::CHECKS.len() + 6;
    assert!(text.ends_with(&format!("\n{passed} passed, 0 failed, 0 skipped\n")), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn jetstream_passes_every_check_and_every_fault() {
    let mut server = NatsServer::start().await;
    let address = format!("jetstream:{}?prefix=check", server.url());
    assert_passes(&address, async |before, after, program| {
        before.asked(program).await;
        server.kill().await;
        before.done();
        after.asked(program).await;
        server.restart().await;
        after.done();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_double_of_kurrentdb_passes_every_check_and_every_fault() {
    let server = KurrentDb::start().await;
    assert_passes(&server.url(), async |before, after, program| {
        before.asked(program).await;
        server.stop().await;
        before.done();
        after.asked(program).await;
        server.start_again().await;
        after.done();
    })
    .await;
}
