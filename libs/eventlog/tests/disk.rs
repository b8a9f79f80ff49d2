//! A disk that refuses writes: appends answer that the log is unavailable, nothing is half-written, and the log goes on
//! by itself when the disk does.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed test says so by panicking")]

mod support;

use std::{
    fs,
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use countersign_eventlog::embedded::{EmbeddedLog, EmbeddedOptions, OpenError, verify};
use countersign_eventsourcing::{
    AppendError, EventLog as _,
    contract::{Sample, after, read},
};
use rustix::process::{Resource, Rlimit, setrlimit};
use support::{child_directory, open, sized, stream};

const EVENT_BYTES: usize = 64 * 1024;
/// Time for the log to come back by itself; it tries again within seconds.
const PATIENCE: Duration = Duration::from_secs(30);

fn without_reserve() -> EmbeddedOptions {
    EmbeddedOptions { free_space_reserve: 0, ..EmbeddedOptions::default() }
}

/// Appends until the disk refuses, and returns how many events were acknowledged.
async fn append_until_refused(log: &EmbeddedLog, sample: &Sample, mut count: u64) -> u64 {
    loop {
        match log.append(&stream("k"), after(count), &[sized(sample, EVENT_BYTES)]).await {
            Ok(_) => count += 1,
            Err(AppendError::Unavailable(_)) => return count,
            Err(other) => panic!("expected it to be unavailable, got {other:?}"),
        }
        assert!(count < 4_096, "the disk takes everything");
    }
}

/// Appends again and again until the log has come back.
async fn append_when_back(log: &EmbeddedLog, sample: &Sample, count: u64) {
    let started = Instant::now();
    let event = [sized(sample, EVENT_BYTES)];
    while let Err(error) = log.append(&stream("k"), after(count), &event).await {
        assert!(matches!(error, AppendError::Unavailable(_)), "{error:?}");
        assert!(started.elapsed() < PATIENCE, "the log did not come back: {error:?}");
        tokio::task::yield_now().await;
    }
}

/// Fills a disk that is almost full, makes room, and fills it again.
async fn goes_on_when_the_disk_does(directory: &Path, refuse: impl Fn(), allow: impl Fn()) {
    let log = EmbeddedLog::open(directory, without_reserve()).unwrap();
    let sample = Sample::new();
    let mut count = 0;
    for _ in 0..3 {
        refuse();
        count = append_until_refused(&log, &sample, count).await;
        count = append_until_refused(&log, &sample, count).await;
        allow();
        append_when_back(&log, &sample, count).await;
        count += 1;
        assert_eq!(read(&log, &stream("k"), 0).await.len() as u64, count);
    }
    log.close().await;
    let report = verify(directory, |_, _| {}).unwrap();
    assert_eq!((report.events, report.problems), (count, vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn below_the_reserve_of_free_space_nothing_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let options = EmbeddedOptions { free_space_reserve: u64::MAX, ..EmbeddedOptions::default() };
    let log = EmbeddedLog::open(directory.path(), options).unwrap();
    let sample = Sample::new();
    let refused = log.append(&stream("k"), after(0), &sample.events(1)).await;
    let Err(AppendError::Unavailable(source)) = refused else {
        panic!("expected it to be unavailable, got {refused:?}")
    };
    assert!(source.to_string().ends_with("are kept in reserve"), "{source}");
    assert!(read(&log, &stream("k"), 0).await.is_empty());
    log.close().await;
    let log = open(directory.path());
    log.append(&stream("k"), after(0), &sample.events(1)).await.unwrap();
}

/// A file system of its own in memory.
struct SmallDisk(PathBuf, #[expect(dead_code, reason = "removed when dropped")] tempfile::TempDir);

impl SmallDisk {
    /// Mounts one; `None` where that is not allowed.
    fn mount(size: &str) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().to_owned();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(&path)
            .status();
        mounted.is_ok_and(|status| status.success()).then_some(Self(path, directory))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("--lazy").arg(&self.0).status();
        assert!(unmounted.is_ok_and(|status| status.success()), "cannot unmount");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_goes_on_when_a_full_disk_has_room_again() {
    let Some(disk) = SmallDisk::mount("12m") else {
        // Where nothing may be mounted, a file-size limit fails writes in the same places.
        return run_under_a_file_size_limit();
    };
    let ballast = disk.0.join("ballast");
    let data = disk.0.join("data");
    let room = std::cell::Cell::new(7);
    let refuse = || fs::write(&ballast, vec![1; room.get() << 20]).unwrap();
    let allow = || {
        fs::remove_file(&ballast).unwrap();
        room.set(room.get() - 2);
    };
    goes_on_when_the_disk_does(&data, refuse, allow).await;
}

#[test]
fn the_log_goes_on_when_files_may_grow_again() {
    run_under_a_file_size_limit();
}

fn run_under_a_file_size_limit() {
    let directory = tempfile::tempdir().unwrap();
    // The shell makes writes over the limit fail instead of ending the process.
    let child = support::child("child_goes_on_when_files_may_grow_again", directory.path());
    let output = Command::new("sh")
        .args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""])
        .arg(child.get_program())
        .args(child.get_args())
        .env(support::DIRECTORY, directory.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a child process of other tests in this file"]
async fn child_goes_on_when_files_may_grow_again() {
    let limit = std::cell::Cell::new(1_000_000);
    let limited = |current| setrlimit(Resource::Fsize, Rlimit { current, maximum: None }).unwrap();
    let refuse = || limited(Some(limit.get()));
    let allow = || {
        limited(None);
        limit.set(limit.get() + 1_000_000);
    };
    goes_on_when_the_disk_does(&child_directory(), refuse, allow).await;
}

#[test]
fn a_directory_that_may_not_be_written_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    fs::create_dir(&data).unwrap();
    let mut child = support::child("child_may_not_write", &data);
    // Nothing is forbidden to root; whoever else runs the tests need not see where they were built.
    if rustix::process::geteuid().is_root() {
        let program = directory.path().join("tests");
        let copied = Command::new("cp").arg(child.get_program()).arg(&program).status();
        assert!(copied.is_ok_and(|status| status.success()), "cannot copy the tests");
        let arguments: Vec<_> = child.get_args().map(ToOwned::to_owned).collect();
        child = Command::new(program);
        child.args(arguments).env(support::DIRECTORY, &data).uid(65_534).gid(65_534);
    }
    for path in [data.as_path(), directory.path()] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o555)).unwrap();
    }
    let output = child.current_dir(directory.path()).output().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
#[ignore = "a child process of other tests in this file"]
fn child_may_not_write() {
    let directory = child_directory();
    let error = EmbeddedLog::open(&directory, EmbeddedOptions::default()).unwrap_err();
    assert!(matches!(error, OpenError::Io { .. }), "{error:?}");
    assert!(error.to_string().contains(directory.to_str().unwrap()), "{error}");
}
