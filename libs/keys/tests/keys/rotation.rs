//! Rotating the keys of a single process while it serves.

use std::{
    fs,
    sync::atomic::{AtomicU32, Ordering},
};

use countersign_core::UserKey;
use countersign_crypto::Sealed;
use countersign_keys::{KeyReport, LocalKeys, RotationError, RotationProgress, VaultError, verify};
use futures_util::FutureExt as _;

use crate::support::Keys;

const FIELD: &str = "authenticator.record";

fn user(number: u32) -> UserKey {
    let mut bytes = [7; 16];
    bytes[..4].copy_from_slice(&number.to_le_bytes());
    UserKey::new(bytes)
}

async fn some(keys: &Keys, opened: &LocalKeys, count: u32) -> Vec<Sealed> {
    let vault = opened.vault();
    let mut sealed = Vec::new();
    for number in 0..count {
        let value = number.to_le_bytes();
        sealed.push(vault.seal(&keys.acme, user(number), FIELD, &value).await.unwrap());
    }
    sealed
}

async fn opens(keys: &Keys, opened: &LocalKeys, sealed: &[Sealed]) {
    for (number, sealed) in (0_u32..).zip(sealed) {
        let value = opened.vault().unseal(&keys.acme, user(number), FIELD, sealed).await;
        assert_eq!(value.unwrap().expose(), number.to_le_bytes());
    }
}

#[tokio::test]
async fn a_rotation_goes_from_one_version_to_the_next_and_everything_opens_all_the_time() {
    let keys = Keys::made();
    let opened = keys.open();
    let sealed = some(&keys, &opened, 5).await;
    let (name, kid) =
        (opened.vault().request_digest("m", b"c"), opened.signing_key().kid().to_owned());
    let rotation = opened.rotation();
    let first = RotationProgress { version: 1, ..RotationProgress::default() };
    assert_eq!((rotation.progress(), rotation.versions()), (first, vec![1]));
    for version in 2..=4 {
        let before = keys.files();
        assert_eq!(rotation.begin_kek_rotation().await.unwrap(), version);
        assert_eq!(rotation.progress(), RotationProgress { version, ..first });
        // Started again in the middle.
        opens(&keys, &keys.open(), &sealed).await;
        let done = rotation.run(|| false).await.unwrap();
        assert_eq!(done, RotationProgress { done: 5, total: 5, version });
        assert_eq!(rotation.progress(), done);
        let after = keys.files();
        for name in ["data-keys", "index-key", "assertion-keys"] {
            assert_ne!(after[name], before[name], "{name}");
        }
        assert_eq!(rotation.retire().await.unwrap(), [version - 1]);
        assert_eq!(rotation.versions(), [version]);
        opens(&keys, &opened, &sealed).await;
        let again = keys.open();
        opens(&keys, &again, &sealed).await;
        assert_eq!(again.vault().request_digest("m", b"c"), name);
        assert_eq!(again.signing_key().kid(), kid);
        assert_eq!(keys.files().len(), 4);
    }
    let report = verify(&keys.directory(), |_, _| {}).unwrap();
    assert_eq!(report, KeyReport { keys: 5, ..KeyReport::default() });
    assert_eq!(rotation.retire().await.unwrap(), [0_u32; 0]);
}

#[tokio::test]
async fn a_version_under_which_anything_is_wrapped_is_not_retired() {
    let keys = Keys::made();
    let opened = keys.open();
    let sealed = some(&keys, &opened, 3).await;
    let rotation = opened.rotation();
    rotation.begin_kek_rotation().await.unwrap();
    let before = keys.files();
    let refused = rotation.retire().await.unwrap_err();
    // Three users, and the two files.
    assert!(matches!(refused, RotationError::StillWrapped { count: 5, version: 2 }), "{refused:?}");
    assert_eq!(keys.files(), before);
    opens(&keys, &opened, &sealed).await;
}

#[tokio::test]
async fn a_rotation_that_was_stopped_goes_on_where_it_was() {
    let keys = Keys::made();
    let opened = keys.open();
    let sealed = some(&keys, &opened, 600).await;
    opened.rotation().begin_kek_rotation().await.unwrap();
    let asked = AtomicU32::new(0);
    // After the first of three steps.
    let stop = || asked.fetch_add(1, Ordering::SeqCst) == 1;
    let stopped = opened.rotation().run(stop).await.unwrap();
    assert_eq!(stopped, RotationProgress { done: 256, total: 600, version: 2 });
    let refused = opened.rotation().retire().await.unwrap_err();
    assert!(matches!(refused, RotationError::StillWrapped { count: 346, .. }), "{refused:?}");
    opens(&keys, &opened, &sealed).await;
    drop(opened);

    let opened = keys.open();
    opens(&keys, &opened, &sealed).await;
    let rotation = opened.rotation();
    let finished = rotation.run(|| false).await.unwrap();
    assert_eq!(finished, RotationProgress { done: 600, total: 600, version: 2 });
    rotation.retire().await.unwrap();
    opens(&keys, &keys.open(), &sealed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn users_are_served_and_erased_while_keys_are_wrapped_anew() {
    let keys = Keys::made();
    let opened = keys.open();
    let sealed = some(&keys, &opened, 400).await;
    let rotation = opened.rotation();
    let rotating = tokio::spawn({
        let rotation = rotation.clone();
        async move {
            for _ in 0..4 {
                rotation.begin_kek_rotation().await.unwrap();
                rotation.run(|| false).await.unwrap();
                rotation.retire().await.unwrap();
            }
        }
    });
    let vault = opened.vault();
    for number in (0..400).step_by(2) {
        vault.erase(&keys.acme, user(number)).await.unwrap();
        vault.seal(&keys.acme, user(1_000 + number), FIELD, b"new").await.unwrap();
    }
    rotating.await.unwrap();
    for opened in [opened, keys.open()] {
        let vault = opened.vault();
        for (number, sealed) in (0_u32..).zip(&sealed) {
            let outcome = vault.unseal(&keys.acme, user(number), FIELD, sealed).await;
            if number.is_multiple_of(2) {
                assert!(matches!(outcome, Err(VaultError::Erased)), "{outcome:?}");
            } else {
                assert_eq!(outcome.unwrap().expose(), number.to_le_bytes());
            }
        }
    }
    let report = verify(&keys.directory(), |_, _| {}).unwrap();
    assert_eq!(report, KeyReport { keys: 400, erased: 200, ..KeyReport::default() });
}

#[tokio::test]
async fn two_do_not_rotate_the_same_keys_at_once() {
    let keys = Keys::made();
    let opened = keys.open();
    let (rotation, elsewhere) = (opened.rotation(), keys.open().rotation());
    let busy = AtomicU32::new(0);
    let stop = || {
        for other in [&rotation, &elsewhere] {
            for outcome in [
                other.begin_kek_rotation().now_or_never().unwrap().map(drop),
                other.retire().now_or_never().unwrap().map(drop),
                other.remove_expired_assertion_keys().now_or_never().unwrap().map(drop),
            ] {
                assert!(matches!(outcome, Err(RotationError::Busy)), "{outcome:?}");
                busy.fetch_add(1, Ordering::SeqCst);
            }
        }
        false
    };
    rotation.run(stop).await.unwrap();
    assert!(busy.load(Ordering::SeqCst) > 0);
    rotation.begin_kek_rotation().await.unwrap();
}

#[tokio::test]
async fn a_ring_takes_so_many_versions_and_no_more() {
    let keys = Keys::made();
    let opened = keys.open();
    let sealed = some(&keys, &opened, 1).await;
    let rotation = opened.rotation();
    for version in 2..=8 {
        assert_eq!(rotation.begin_kek_rotation().await.unwrap(), version);
    }
    let refused = rotation.begin_kek_rotation().await.unwrap_err();
    assert!(matches!(refused, RotationError::RingFull { most: 8 }), "{refused:?}");
    opens(&keys, &keys.open(), &sealed).await;
    rotation.run(|| false).await.unwrap();
    assert_eq!(rotation.retire().await.unwrap(), [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(rotation.begin_kek_rotation().await.unwrap(), 9);
}

#[tokio::test]
async fn a_directory_that_cannot_be_written_changes_nothing() {
    let keys = Keys::made();
    let opened = keys.open();
    let sealed = some(&keys, &opened, 2).await;
    let rotation = opened.rotation();
    // What is in the way of the next ring is a directory.
    fs::create_dir(keys.path("kek.unfinished")).unwrap();
    let refused = rotation.begin_kek_rotation().await.unwrap_err();
    assert!(refused.to_string().contains("kek"), "{refused}");
    assert_eq!(rotation.versions(), [1]);
    fs::remove_dir(keys.path("kek.unfinished")).unwrap();
    opens(&keys, &opened, &sealed).await;
    assert_eq!(rotation.begin_kek_rotation().await.unwrap(), 2);
}

#[tokio::test]
async fn a_damaged_key_is_named_and_its_version_is_not_retired() {
    let keys = Keys::made();
    let opened = keys.open();
    some(&keys, &opened, 3).await;
    let rotation = opened.rotation();
    rotation.begin_kek_rotation().await.unwrap();
    keys.flip_bit("data-keys", (2 * 256 + 60) * 8);
    for outcome in [rotation.run(|| false).await.map(drop), rotation.retire().await.map(drop)] {
        let text = outcome.unwrap_err().to_string();
        assert!(text.contains("slot 1 "), "{text}");
    }
    assert_eq!(rotation.versions(), [1, 2]);
    // Whoever erases the user ends it.
    opened.vault().erase(&keys.acme, user(1)).await.unwrap();
    rotation.run(|| false).await.unwrap();
    assert_eq!(rotation.retire().await.unwrap(), [1]);
}
