//! An erasure that is cut short is finished.

use std::path::Path;

use countersign::{World, serve::Installation};
use countersign_core::{TenantId, UserId};
use countersign_tests::{
    Process, Tenant,
    process::{command_of, doctor, program},
};

use crate::{becomes, erase, state, try_erase};

const ANN: &str = "ann@example.org";

/// Returns whether there is a key for Ann, by opening a data directory that nobody has open.
async fn has_key(data_dir: &Path) -> bool {
    let installation = Installation::open(data_dir, World::default()).await.unwrap();
    let user = UserId::parse(ANN).unwrap();
    let user = installation.foundation.user(&TenantId::parse("acme").unwrap(), &user);
    let named = installation.foundation.vault.name(&user.tenant, user.key, "test", b"test").await;
    installation.close().await;
    named.is_ok()
}

async fn erased_in(tenant: &Tenant) -> usize {
    tenant.count(ANN, "UserErased").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_a_power_cut_left_behind_is_destroyed_by_the_next_start() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("data");
    let process = Process::start(&data_dir).await;
    let tenant = process.tenant("acme").await;
    tenant.enrol(ANN).await;
    tenant.enrol("bob").await;
    let before = state(&tenant, ANN, None).await;
    process.stop().await;

    let dying = command_of(&program("countersign-dies-erasing"), [&data_dir]);
    let dying = Process::spawn(dying, &data_dir).await;
    let cut = tenant.over(&dying.connect().await);
    let unanswered = try_erase(&cut, ANN, "erase-1", "asked to").await;
    unanswered.unwrap_err();
    let ended = dying.ended().await;
    assert_eq!(ended.status.code(), None, "it was to be killed: {}", ended.log);
    assert!(has_key(&data_dir).await, "the fault came too late");

    let process = Process::start(&data_dir).await;
    let tenant = tenant.over(&process.connect().await);
    assert_eq!(erased_in(&tenant).await, 1);
    // How Ann stood before tells her authenticator's name for as long as there is a key.
    let past = async || state(&tenant, ANN, before.as_of).await;
    becomes(past, |past| past.authenticators[0].display_name == "[erased]").await;
    try_erase(&tenant, ANN, "erase-1", "asked to").await.unwrap();
    assert_eq!(erased_in(&tenant).await, 1);
    assert_eq!(state(&tenant, "bob", None).await.authenticators[0].display_name, "totp");
    process.stop().await;
    assert!(!has_key(&data_dir).await);
    doctor(&data_dir).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_an_erasure_is_answered_the_key_is_gone() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("data");
    let process = Process::start(&data_dir).await;
    let tenant = process.tenant("acme").await;
    tenant.enrol(ANN).await;
    erase(&tenant, ANN).await;
    process.kill().await;
    assert!(!has_key(&data_dir).await);
    doctor(&data_dir).await;
}
