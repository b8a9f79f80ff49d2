//! What copies of an installation tell, with their keys and without.

use std::{fs, path::Path};

use countersign_proto::audit::GetStateAsOfResponse;
use countersign_tests::{
    Process, Tenant, latin,
    process::{command, doctor, run, serve, text},
    reason,
};

use crate::{erase, proves, state};

const USERS: [&str; 3] = ["ann", "bob", "cleo"];

/// Copies a directory with all that belongs to it.
async fn copy(from: &Path, to: &Path) {
    let mut cp = tokio::process::Command::new("cp");
    cp.arg("-a").arg(from).arg(to);
    assert!(run(cp).await.status.success());
}

async fn digest(data_dir: &Path) -> String {
    let log = format!("embedded:{}", data_dir.display());
    let output = run(command(["log", "digest", "--log", &log])).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

/// Returns how every user stood at one time.
async fn states(
    tenant: &Tenant,
    as_of: Option<prost_types::Timestamp>,
) -> Vec<GetStateAsOfResponse> {
    let mut states = Vec::new();
    for user in USERS {
        states.push(state(tenant, user, as_of).await);
    }
    states
}

/// An installation with users, stopped.
async fn installation(data_dir: &Path) -> (Tenant, Vec<GetStateAsOfResponse>) {
    let process = Process::start(data_dir).await;
    let tenant = process.tenant("acme").await;
    for user in USERS {
        tenant.enrol(user).await;
    }
    tenant.challenge("ann").await;
    let now = state(&tenant, "ann", None).await.as_of;
    let states = states(&tenant, now).await;
    process.stop().await;
    (tenant, states)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_installation_is_the_same_with_its_keys() {
    let directory = tempfile::tempdir().unwrap();
    let [data, restored] = ["data", "restored"].map(|name| directory.path().join(name));
    let (tenant, stood) = installation(&data).await;
    copy(&data, &restored).await;
    assert_eq!(digest(&restored).await, digest(&data).await);
    let process = Process::start(&restored).await;
    let tenant = tenant.over(&process.connect().await);
    assert_eq!(states(&tenant, stood[0].as_of).await, stood);
    process.stop().await;
    doctor(&restored).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_the_log_alone_is_not_served_and_gets_no_new_keys() {
    let directory = tempfile::tempdir().unwrap();
    let [data, restored] = ["data", "restored"].map(|name| directory.path().join(name));
    installation(&data).await;
    copy(&data, &restored).await;
    let keys = restored.join("keys");
    fs::remove_dir_all(&keys).unwrap();
    let refused = run(serve(&restored)).await;
    let said = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{said}");
    let named = format!("{} is missing", keys.join("index-key").display());
    assert!(said.contains(&named) && said.contains("from the same backup"), "{said}");
    assert!(!keys.exists(), "keys were made over the log");
    // Nothing was added to it either.
    assert_eq!(digest(&restored).await, digest(&data).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_the_log_from_before_an_erasure_tells_nothing_of_the_user() {
    let directory = tempfile::tempdir().unwrap();
    let [data, restored] = ["data", "restored"].map(|name| directory.path().join(name));
    let process = Process::start(&data).await;
    let tenant = process.tenant("acme").await;
    let ann = tenant.enrol("ann").await;
    let bob = tenant.enrol("bob").await;
    process.stop().await;
    copy(&data, &restored).await;
    let process = Process::start(&data).await;
    let tenant = tenant.over(&process.connect().await);
    erase(&tenant, "ann").await;
    process.stop().await;
    fs::remove_dir_all(restored.join("keys")).unwrap();
    copy(&data.join("keys"), &restored.join("keys")).await;

    let process = Process::start(&restored).await;
    let tenant = tenant.over(&process.connect().await);
    let stands = state(&tenant, "ann", None).await;
    assert_eq!(stands.authenticators[0].display_name, "[erased]");
    let challenge = tenant.challenge("ann").await;
    let refused = tenant.verify("ann", &challenge, &ann.code(tenant.now())).await.unwrap_err();
    assert_eq!(reason(&refused), "USER_ERASED");
    proves(&tenant, "bob", &bob).await;
    // The log that was copied back does not know of it: the erasure is asked for again.
    erase(&tenant, "ann").await;
    let log = process.stop().await.log;
    assert!(!latin(log.as_bytes()).contains("panicked"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_with_another_installations_keys_is_not_served_and_stays_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let [ours, theirs] = ["ours", "theirs"].map(|name| directory.path().join(name));
    let (tenant, stood) = installation(&ours).await;
    Process::start(&theirs).await.stop().await;
    let before = digest(&ours).await;
    let [keys, kept] = ["keys", "kept"].map(|name| ours.join(name));
    fs::rename(&keys, &kept).unwrap();
    copy(&theirs.join("keys"), &keys).await;
    let refused = run(serve(&ours)).await;
    let said = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("another installation's") && said.contains("keys"), "{said}");
    assert_eq!(digest(&ours).await, before);
    // With its own it is what it was.
    fs::remove_dir_all(&keys).unwrap();
    fs::rename(&kept, &keys).unwrap();
    let process = Process::start(&ours).await;
    let tenant = tenant.over(&process.connect().await);
    assert_eq!(states(&tenant, stood[0].as_of).await, stood);
    process.stop().await;
}
