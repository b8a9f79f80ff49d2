//! The check of a data directory.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use countersign_tests::{Process, process::command};
use tempfile::TempDir;
use tokio::process::Command;

use super::Said;

/// A data directory of a server that has stopped in order.
async fn stopped() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let server = Process::start(directory.path()).await;
    let tenant = server.tenant("acme").await;
    for user in 0..20 {
        tenant.enrol(&format!("user-{user}")).await;
    }
    assert!(server.stop().await.status.success());
    directory
}

fn doctor(data_dir: &Path) -> Command {
    let mut command = command(["doctor", "--data-dir"]);
    command.arg(data_dir);
    command
}

/// Changes one bit of a file.
fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}

/// Returns the journal that holds the newest events.
fn journal(data_dir: &Path) -> PathBuf {
    let files = fs::read_dir(data_dir.join("db")).unwrap().map(|entry| entry.unwrap().path());
    let journals = files.filter(|path| path.extension().is_some_and(|end| end == "jnl"));
    journals.max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap()
}

#[tokio::test]
async fn a_sound_directory_is_said_to_be_so_and_stays_as_it_is() {
    let directory = stopped().await;
    let said = Said::well(doctor(directory.path())).await;
    let checks: Vec<_> = said.lines().map(|line| line.split(':').next().unwrap().trim()).collect();
    assert_eq!(checks, ["sound  log", "sound  events", "sound  keys", "sound  first key"]);
    assert!(said.contains("20 data keys, 0 erased"), "{said}");
    assert_eq!(Said::well(doctor(directory.path())).await, said);
    let findings = Said::json(doctor(directory.path())).await;
    assert!(findings.iter().all(|finding| finding["sound"] == true), "{findings:?}");
}

#[tokio::test]
async fn a_flipped_bit_in_the_log_is_found_and_served_to_nobody() {
    let directory = stopped().await;
    let journal = journal(directory.path());
    flip(&journal, usize::try_from(fs::metadata(&journal).unwrap().len()).unwrap() / 2);
    let said = Said::by(doctor(directory.path())).await;
    assert_eq!(said.code, Some(1), "{said:?}");
    let told = format!("{}{}", said.out, said.err);
    assert!(told.contains(journal.to_str().unwrap()), "{told}");
    let mut serve = command(["serve", "--listen", "127.0.0.1:0", "--data-dir"]);
    serve.arg(directory.path());
    let refused = Said::failing(serve).await;
    assert!(refused.contains(journal.to_str().unwrap()), "{refused}");
}

#[tokio::test]
async fn a_flipped_bit_in_the_keys_is_found() {
    let directory = stopped().await;
    let keys = directory.path().join("keys/data-keys");
    flip(&keys, usize::try_from(fs::metadata(&keys).unwrap().len()).unwrap() / 2);
    let said = Said::by(doctor(directory.path())).await;
    assert_eq!(said.code, Some(1), "{said:?}");
    let damage = said.out.lines().find(|line| line.trim_start().starts_with("damage")).unwrap();
    assert!(damage.contains(keys.to_str().unwrap()), "{damage}");
    assert!(said.err.contains("1 of 4 checks found damage"), "{said:?}");
}

#[tokio::test]
async fn a_first_key_that_others_can_read_is_found() {
    let directory = stopped().await;
    let key = directory.path().join("first-key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let said = Said::by(doctor(directory.path())).await;
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.out.contains("chmod 600"), "{said:?}");
}

#[tokio::test]
async fn a_directory_that_a_server_has_open_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let server = Process::start(directory.path()).await;
    let said = Said::failing(doctor(directory.path())).await;
    let lock = directory.path().join("LOCK").display().to_string();
    assert!(said.contains(&format!("{lock} is held by process {}", server.id())), "{said}");
    assert!(!said.contains("not sound"), "nothing is said about its health: {said}");
    let nowhere = directory.path().join("nowhere");
    let said = Said::failing(doctor(&nowhere)).await;
    assert!(said.contains("there is no directory") && said.contains("nowhere"), "{said}");
}
