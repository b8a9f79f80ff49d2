//! A process that is killed in the middle of a rotation.

use std::{path::Path, sync::Arc};

use countersign_core::{TenantId, UserKey};
use countersign_keys::LocalKeys;
use countersign_service::OsRandom;
use countersign_tests::{Process, Tenant, process::doctor};
use tokio::task::JoinSet;

use crate::{begin, is_complete, retire, until};

/// Enough that a rotation takes longer than a look at it.
const USERS: usize = 20_000;
const TOGETHER: usize = 512;
const FIELD: &str = "authenticator.record";

/// Makes keys before the first start, as a house of many users has them.
async fn fill(keys_dir: &Path) {
    let keys = LocalKeys::open(keys_dir, Arc::new(OsRandom)).unwrap();
    let (vault, tenant) = (keys.vault(), TenantId::parse("beta").unwrap());
    let mut sealing = JoinSet::new();
    for number in 0..USERS {
        let (vault, tenant) = (vault.clone(), tenant.clone());
        let user = UserKey::new((number as u128).to_be_bytes());
        sealing.spawn(async move { vault.seal(&tenant, user, FIELD, b"seed").await.map(drop) });
        if sealing.len() == TOGETHER {
            sealing.join_next().await.unwrap().unwrap().unwrap();
        }
    }
    for sealed in sealing.join_all().await {
        sealed.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_that_kill_9_interrupts_goes_on_at_the_next_start_and_loses_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("data");
    fill(&data_dir.join("keys")).await;
    let mut process = Process::start(&data_dir).await;
    let tenant = process.tenant("acme").await;
    let phone = tenant.enrol("ann").await;
    begin(&process.operator().await, 1).await.unwrap();
    let mut kills = 0;
    // Again and again, always in the middle, until one start comes to the end.
    for done_before in [0, 2_000, 6_000] {
        let operator = process.operator().await;
        let seen = until(&operator, |keyring| {
            let rewrapping = keyring.rewrapping.as_ref().unwrap();
            rewrapping.complete || rewrapping.done > done_before
        });
        if is_complete(&seen.await) {
            break;
        }
        let ended = process.kill().await;
        assert!(ended.status.code().is_none(), "it ended by itself: {}", ended.log);
        kills += 1;
        process = Process::start(&data_dir).await;
    }
    assert!(kills > 0, "it was never killed in the middle: give it more users");
    let operator = process.operator().await;
    let seen = until(&operator, is_complete).await;
    assert_eq!((seen.versions.as_slice(), seen.wrapping_version), (&[1, 2][..], 2));
    let rewrapping = seen.rewrapping.unwrap();
    assert_eq!((rewrapping.done, rewrapping.total), (USERS as u64 + 1, USERS as u64 + 1));
    assert_eq!(retire(&operator).await.unwrap(), [1]);
    proves(&tenant.over(&process.connect().await), &phone).await;
    assert!(process.stop().await.status.success());

    let found = doctor(&data_dir).await;
    assert!(found.contains(&format!("{} data keys", USERS + 1)), "{found}");
}

async fn proves(tenant: &Tenant, phone: &countersign_tests::Phone) {
    let challenge = tenant.challenge("ann").await;
    // The next step: that of the enrolment is spent.
    let soon = countersign_core::Timestamp::from_unix_seconds(tenant.now().unix_seconds() + 30);
    tenant.verified("ann", &challenge, &phone.code(soon)).await;
}
