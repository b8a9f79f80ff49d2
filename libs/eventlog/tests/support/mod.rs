//! What the tests of the embedded log share.

#![expect(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each test file uses its own part; a failed test says so by panicking"
)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use bytes::Bytes;
use countersign_core::TenantId;
use countersign_eventlog::embedded::{EmbeddedLog, EmbeddedOptions};
use countersign_eventsourcing::{EventLog as _, NewEvent, RecordedEvent, StreamId, contract::*};

/// Names the directory to a child process.
pub const DIRECTORY: &str = "COUNTERSIGN_TEST_DIRECTORY";

pub fn open(directory: &Path) -> EmbeddedLog {
    EmbeddedLog::open(directory, EmbeddedOptions::default()).unwrap()
}

/// Names a stream that child processes name alike.
pub fn stream(key: &str) -> StreamId {
    StreamId::new("user", &TenantId::parse("acme").unwrap(), key).unwrap()
}

pub fn sized(sample: &Sample, bytes: usize) -> NewEvent {
    NewEvent { payload: Bytes::from(vec![0x5a; bytes]), ..sample.event() }
}

/// Reads the whole log.
pub async fn everything(log: &EmbeddedLog) -> Vec<RecordedEvent> {
    let mut items = log.follow(&Default::default(), None).await.unwrap();
    take_until_caught_up(&mut items).await
}

/// Prepares to run the ignored test `name` of this file as a process of its own.
pub fn child(name: &str, directory: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", "--nocapture", name]);
    command.env(DIRECTORY, directory).stdin(Stdio::piped()).stdout(Stdio::piped());
    command
}

pub fn child_directory() -> PathBuf {
    std::env::var_os(DIRECTORY).unwrap().into()
}

/// The journals of a log that is closed, the newest last.
pub fn journals(directory: &Path) -> Vec<PathBuf> {
    let mut found = files(&directory.join("db"));
    found.retain(|path| path.extension().is_some_and(|extension| extension == "jnl"));
    found.sort_by_key(|path| path.file_stem().unwrap().to_str().unwrap().parse::<u64>().unwrap());
    found
}

/// All files below `directory`.
pub fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Cuts the zeros that a journal was made of in advance.
pub fn trim(journal: &Path) -> Vec<u8> {
    let mut bytes = fs::read(journal).unwrap();
    bytes.truncate(bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1));
    fs::write(journal, &bytes).unwrap();
    bytes
}
