//! Users go on proving themselves while the key-encryption key is rotated under them.

use std::time::Instant;

use countersign_proto::keys::{Keyring, RewrapKeyringRequest};
use countersign_tests::{
    House, Process,
    load::{Load, widen},
    process::doctor,
    reason,
};

use crate::{begin, is_complete, keyring, retire, until};

const PLATFORMS: usize = 8;
const ROTATIONS: u32 = 5;
/// How many answers come between two rotations.
const BETWEEN: u64 = 300;

#[tokio::test(flavor = "multi_thread")]
async fn no_request_fails_while_the_key_encryption_key_is_rotated_again_and_again() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("data");
    let process = Process::start(&data_dir).await;
    let operator = process.operator().await;
    let tenant = process.tenant("acme").await;
    widen(&tenant).await;
    let mut tenants = Vec::new();
    for _ in 0..PLATFORMS {
        tenants.push(tenant.over(&process.connect().await));
    }
    let began = Instant::now();
    let load = Load::insisting(tenants, "user");
    for newest in 1..=ROTATIONS {
        load.until(|progress| progress.answered >= u64::from(newest) * BETWEEN).await;
        begin(&operator, newest).await.unwrap();
        until(&operator, is_complete).await;
        assert_eq!(retire(&operator).await.unwrap(), [newest]);
    }
    let seconds = began.elapsed().as_secs_f64();
    let noted = load.stop().await;
    assert_eq!(noted.repeats, 0, "a request failed");
    #[expect(clippy::cast_precision_loss, reason = "there are few")]
    let rate = noted.verified.len() as f64 / seconds;
    assert!(rate >= 50.0, "only {rate} verifications a second");
    assert_eq!(keyring(&operator).await.versions, [ROTATIONS + 1]);

    // Everything still opens, here and after a start.
    process.stop().await;
    let found = doctor(&data_dir).await;
    assert!(found.contains(&format!("{} data keys", noted.enrolled.len())), "{found}");
    let process = Process::start(&data_dir).await;
    let tenant = tenant.over(&process.connect().await);
    for enrolled in &noted.enrolled {
        let challenge = tenant.challenge(&enrolled.user).await;
        let code = enrolled.phone.code(enrolled.fresh);
        tenant.verified(&enrolled.user, &challenge, &code).await;
    }
    assert!(process.stop().await.status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_request_begins_one_rotation_and_a_late_one_none() {
    let house = House::single().await;
    let operator = house.operator();
    begin(&operator, 1).await.unwrap();
    until(&operator, is_complete).await;
    assert_eq!(begin(&operator, 1).await.unwrap().versions, [1, 2]);
    assert_eq!(retire(&operator).await.unwrap(), [1]);
    assert_eq!(retire(&operator).await.unwrap(), [0_u32; 0]);
    assert_eq!(begin(&operator, 2).await.unwrap().versions, [2, 3]);
    until(&operator, is_complete).await;
    // Whoever goes out from what was long ago is told so.
    let status = begin(&operator, 1).await.unwrap_err();
    assert_eq!(reason(&status), "KEYRING_CHANGED");
    // Of many who begin at once, from the same state, one rotation comes.
    let beginnings = (0..20).map(|_| {
        let operator = operator.clone();
        tokio::spawn(async move { begin(&operator, 3).await })
    });
    for beginning in beginnings.collect::<Vec<_>>() {
        match beginning.await.unwrap() {
            Ok(keyring) => assert_eq!(keyring.versions, [2, 3, 4]),
            Err(status) => assert_eq!(reason(&status), "KEYS_BUSY"),
        }
    }
    assert_eq!(keyring(&operator).await.versions, [2, 3, 4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ring_has_an_end_and_nothing_secret_is_shown_or_logged() {
    let directory = tempfile::tempdir().unwrap();
    let process = Process::start(&directory.path().join("data")).await;
    let operator = process.operator().await;
    let refused = loop {
        match begin(&operator, 0).await {
            Ok(_) => {
                until(&operator, is_complete).await;
            }
            Err(status) if reason(&status) == "KEYS_BUSY" => {}
            Err(status) => break status,
        }
    };
    assert_eq!(reason(&refused), "ROTATION_REFUSED");
    assert!(refused.message().contains("retire the older ones first"), "{refused:?}");
    let request = RewrapKeyringRequest { request_id: "audit-me".to_owned() };
    let rewrapped = operator.keys().rewrap_keyring(request).await.unwrap();
    let seen: Keyring = rewrapped.into_inner().keyring.unwrap();
    assert_eq!((seen.provider.as_str(), seen.shared), ("local", false));
    let ended = process.stop().await;
    for part in ["audit-me", "RewrapKeyring", "api-key:platform."] {
        assert!(ended.log.contains(part), "{part}: {}", ended.log);
    }
}
