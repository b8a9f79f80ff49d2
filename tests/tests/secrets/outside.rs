//! What anybody on the machine sees of a process, and what a crash of it would leave behind.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::Path,
};

use countersign_tests::{
    Process,
    process::{as_somebody, serve},
};

use crate::list::List;

/// Searches how a process is called, and what it was started with.
pub(crate) fn search(id: u32, list: &List) {
    for file in ["cmdline", "comm", "environ"] {
        let content = fs::read(format!("/proc/{id}/{file}")).unwrap();
        assert!(!content.is_empty(), "{file}");
        list.is_not_in(&content, &format!("/proc/{id}/{file}"));
    }
}

/// Returns the soft and the hard limit of core dumps.
fn core_limits(id: u32) -> Vec<String> {
    let limits = fs::read_to_string(format!("/proc/{id}/limits")).unwrap();
    let core = limits.lines().find_map(|line| line.strip_prefix("Max core file size"));
    core.unwrap().split_whitespace().take(2).map(str::to_owned).collect()
}

/// Returns whether others of the same user may look into a process of `user`: what `/proc` has of one that may not be is
/// root's (proc(5)).
fn is_dumpable(id: u32, user: u32) -> bool {
    fs::metadata(format!("/proc/{id}/environ")).unwrap().uid() == user
}

/// Serves as somebody who is not root, with `settings`; returns who that is too.
async fn start(directory: &Path, settings: &str) -> (Process, u32) {
    // For somebody else to write to.
    fs::set_permissions(directory, fs::Permissions::from_mode(0o777)).unwrap();
    let (path, data_dir) = (directory.join("countersign.yaml"), directory.join("data"));
    fs::write(&path, settings).unwrap();
    let mut command = serve(&data_dir);
    command.arg("--config").arg(&path);
    let process = Process::spawn(as_somebody(directory, command), &data_dir).await;
    let user = fs::metadata(&data_dir).unwrap().uid();
    assert_ne!(user, 0);
    (process, user)
}

#[tokio::test]
async fn a_server_leaves_no_core_dump_and_cannot_be_looked_into() {
    let directory = tempfile::tempdir().unwrap();
    let (process, user) = start(directory.path(), "").await;
    assert_eq!(core_limits(process.id()), ["0", "0"]);
    assert!(!is_dumpable(process.id(), user));
}

#[tokio::test]
async fn a_server_can_be_looked_into_where_the_settings_say_so() {
    let directory = tempfile::tempdir().unwrap();
    let (process, user) = start(directory.path(), "core_dumps: true\n").await;
    assert_eq!(core_limits(process.id()), core_limits(std::process::id()));
    assert!(is_dumpable(process.id(), user));
}
