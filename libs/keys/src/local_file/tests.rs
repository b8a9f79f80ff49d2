//! Directories of releases that had one key-encryption key and one signing key.

use std::sync::Arc;

use countersign_core::{Rng, SecretBytes, TenantId, UserKey};
use countersign_crypto::DataKey;
use countersign_testkit::SeededRandom;

use super::*;
use crate::{
    AssertionAlgorithm, AssertionKey, KeyEncryption as _,
    frame::Kind,
    ring::{KEK, KeyRing, OWNER, RingPlace, immediately},
    store::{KeyStore, SlotFile},
};

#[tokio::test]
async fn a_directory_of_the_first_formats_opens_and_its_keys_can_be_rotated() {
    let rng: Arc<dyn Rng> = Arc::new(SeededRandom::new(7));
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("keys");
    prepare(&directory).unwrap();
    let old = KeyRing::of(DataKey::from_bytes([7; 32]), Some(Arc::clone(&rng)));
    Kind { format: 1, ..KEK }.write(&directory, &[7; 32]).unwrap();
    SlotFile::create(&directory, &*rng).unwrap();
    let document = AssertionKey::generate(AssertionAlgorithm::Es256).unwrap();
    let key = AssertionKey::from_pkcs8(AssertionAlgorithm::Es256, document.expose()).unwrap();
    let content = SecretBytes::new([&[1], document.expose()].concat());
    let wrapped = old.wrap(b"countersign assertion-keys\0", content.expose()).unwrap();
    Kind { format: 1, ..ASSERTION_KEYS }.write(&directory, &wrapped).unwrap();

    let keys = LocalKeys::open(&directory, Arc::clone(&rng)).unwrap();
    assert_eq!(keys.signing_key().kid(), key.kid());
    let (acme, alice) = (TenantId::parse("acme").unwrap(), UserKey::new([1; 16]));
    let sealed = keys.vault().seal(&acme, alice, "field", b"seed").await.unwrap();
    let rotation = keys.rotation();
    assert_eq!(rotation.begin_kek_rotation().await.unwrap(), 2);
    rotation.run(|| false).await.unwrap();
    assert_eq!(rotation.retire().await.unwrap(), [1]);
    drop(keys);
    let keys = LocalKeys::open(&directory, rng).unwrap();
    assert_eq!(keys.signing_key().kid(), key.kid());
    let opened = keys.vault().unseal(&acme, alice, "field", &sealed).await.unwrap();
    assert_eq!(opened.expose(), b"seed");
    // Nothing opens under the old key any more.
    assert!(open_signing_keys(&directory, &old).is_err());
}

#[tokio::test]
async fn what_was_being_wrapped_anew_when_the_process_was_killed_is_sound_and_completed() {
    let rng: Arc<dyn Rng> = Arc::new(SeededRandom::new(7));
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("keys");
    let keys = LocalKeys::open(&directory, Arc::clone(&rng)).unwrap();
    let acme = TenantId::parse("acme").unwrap();
    let mut sealed = Vec::new();
    for number in 0..3 {
        let user = UserKey::new([number; 16]);
        sealed.push((user, keys.vault().seal(&acme, user, "field", b"seed").await.unwrap()));
    }
    keys.rotation().begin_kek_rotation().await.unwrap();
    drop(keys);
    let ring = immediately(RingPlace::local(&directory, OWNER).open(Some(Arc::clone(&rng))));
    let ring = Arc::new(ring.unwrap().unwrap());
    let file = SlotFile::open(&directory, true).unwrap();
    let store = KeyStore::open(file, Arc::clone(&ring) as _, Arc::clone(&rng)).unwrap();
    // Within the second of three slots.
    store.fail_at(4);
    store.rewrap(&ring, 0).unwrap_err();
    drop(store);

    let report = verify(&directory, |_, _| {}).unwrap();
    let half_done = KeyReport { keys: 3, unwiped: 3, ..KeyReport::default() };
    assert_eq!(report, half_done);
    let keys = LocalKeys::open(&directory, rng).unwrap();
    let report = verify(&directory, |_, _| {}).unwrap();
    assert_eq!(report, KeyReport { unwiped: 0, ..half_done });
    for (user, sealed) in &sealed {
        let opened = keys.vault().unseal(&acme, *user, "field", sealed).await.unwrap();
        assert_eq!(opened.expose(), b"seed");
    }
    keys.rotation().run(|| false).await.unwrap();
    assert_eq!(keys.rotation().retire().await.unwrap(), [1]);
}
