//! Carrying an installation's keys to NATS and back.

use std::fs;

use countersign_core::UserKey;
use countersign_crypto::Sealed;
use countersign_keys::{
    CopiedKeys, KeyPlace, KeyReport, LocalKeys, OpenError, SharedKeys, UserVault, VaultError,
    copy_keys, verify, verify_shared,
};

use super::{FIELD, World};
use crate::support::{Keys, user_id};

const fn user(number: u8) -> UserKey {
    UserKey::new([number; 16])
}

/// Seals for users 0 to 4 and erases 3, 4 and 5.
async fn some(vault: &UserVault, keys: &Keys) -> Vec<Sealed> {
    let mut sealed = Vec::new();
    for number in 0..5 {
        sealed.push(vault.seal(&keys.acme, user(number), FIELD, &[number]).await.unwrap());
    }
    for number in 3..6 {
        vault.erase(&keys.acme, user(number)).await.unwrap();
    }
    sealed
}

async fn opens(vault: &UserVault, keys: &Keys, sealed: &[Sealed]) {
    for (number, sealed) in (0..5).zip(sealed) {
        let outcome = vault.unseal(&keys.acme, user(number), FIELD, sealed).await;
        match outcome {
            Ok(opened) => assert_eq!((opened.expose(), number < 3), ([number].as_slice(), true)),
            Err(error) => {
                assert!(matches!(error, VaultError::Erased) && number >= 3, "{number} {error:?}");
            }
        }
    }
    let outcome = vault.seal(&keys.acme, user(5), FIELD, b"x").await;
    assert!(matches!(outcome, Err(VaultError::Erased)), "{outcome:?}");
}

#[tokio::test]
async fn keys_are_carried_to_nats_and_back_as_they_are() {
    let world = World::none().await;
    let old = Keys::none();
    let opened = old.open();
    let sealed = some(&opened.vault(), &old).await;
    let (kid, alice) = (opened.signing_key().kid().to_owned(), user_id("alice"));
    let name = opened.vault().user_key(&old.acme, &alice);
    drop(opened);

    // Into another directory, without a stream as yet.
    let (local, directory) = (old.directory(), world.directory());
    let (there, back) =
        (KeyPlace::Shared { directory: &directory, nats: &world.nats }, KeyPlace::Local(&local));
    let copied = copy_keys(back, there, old.rng(), |_, _| {}).await.unwrap();
    assert_eq!(copied, CopiedKeys { keys: 3, erased: 3, new: 6 });
    let shared = SharedKeys::create(&directory, &world.nats, old.rng()).await.unwrap();
    assert_eq!(shared.signing_key().kid(), kid);
    assert_eq!(shared.vault().user_key(&old.acme, &alice), name);
    opens(&shared.vault(), &old, &sealed).await;
    let slots = fs::read(old.path("data-keys")).unwrap();
    let first = world.message(1).await.unwrap().payload;
    assert!(slots.windows(140).any(|wrapped| wrapped == &first[44..184]), "the same bytes");

    // What has come since is added, and what was erased since is erased.
    let again = copy_keys(back, there, old.rng(), |_, _| {}).await.unwrap();
    assert_eq!(again, CopiedKeys { new: 0, ..copied });
    let late = shared.vault().seal(&old.acme, user(8), FIELD, b"late").await.unwrap();
    shared.vault().erase(&old.acme, user(0)).await.unwrap();
    let returned = copy_keys(there, back, old.rng(), |_, _| {}).await.unwrap();
    assert_eq!(returned, CopiedKeys { keys: 3, erased: 4, new: 2 });
    let again = copy_keys(there, back, old.rng(), |_, _| {}).await.unwrap();
    assert_eq!(again, CopiedKeys { new: 0, ..returned });
    let vault = old.open().vault();
    let opened = vault.unseal(&old.acme, user(8), FIELD, &late).await.unwrap();
    assert_eq!(opened.expose(), b"late");
    let outcome = vault.unseal(&old.acme, user(0), FIELD, &sealed[0]).await;
    assert!(matches!(outcome, Err(VaultError::Erased)), "{outcome:?}");
    let sound = KeyReport { keys: 3, erased: 4, ..KeyReport::default() };
    assert_eq!(verify(&local, |_, _| {}).unwrap(), sound);
    assert_eq!(verify_shared(&directory, &world.nats, |_, _| {}).await.unwrap(), sound);
}

#[tokio::test]
async fn keys_are_carried_into_an_empty_directory_too() {
    let world = World::none().await;
    let vault = world.create().await.unwrap().vault();
    let sealed = some(&vault, &world.keys).await;
    let empty = Keys::elsewhere();
    let (directory, to) = (world.directory(), empty.directory());
    let from = KeyPlace::Shared { directory: &directory, nats: &world.nats };
    let mut seen = Vec::new();
    let progress = |done, total| seen.push((done, total));
    copy_keys(from, KeyPlace::Local(&to), empty.rng(), progress).await.unwrap();
    assert_eq!((seen.first(), seen.last()), (Some(&(0, 6)), Some(&(6, 6))));
    let local = LocalKeys::open(&to, empty.rng()).unwrap();
    opens(&local.vault(), &world.keys, &sealed).await;
}

#[tokio::test]
async fn one_directory_serves_both_stores() {
    let world = World::none().await;
    let opened = world.keys.open();
    let sealed = some(&opened.vault(), &world.keys).await;
    drop(opened);
    // Making new shared keys beside local ones would lose them.
    let error = world.create().await.unwrap_err();
    assert!(error.to_string().contains("`countersign log copy`"), "{error}");
    let directory = world.directory();
    let to = KeyPlace::Shared { directory: &directory, nats: &world.nats };
    copy_keys(KeyPlace::Local(&directory), to, world.keys.rng(), |_, _| {}).await.unwrap();
    opens(&world.replica().await.vault(), &world.keys, &sealed).await;
}

#[tokio::test]
async fn keys_are_not_mixed_with_those_of_another_installation() {
    let world = World::made().await;
    let other = Keys::elsewhere();
    some(&other.open().vault(), &other).await;
    let (local, directory) = (other.directory(), world.directory());
    let ours = KeyPlace::Shared { directory: &directory, nats: &world.nats };
    let theirs = KeyPlace::Local(&local);
    let (before, files) = (world.keys.files(), other.files());
    for (from, to) in [(ours, theirs), (theirs, ours)] {
        let error = copy_keys(from, to, world.keys.rng(), |_, _| {}).await.unwrap_err();
        assert!(matches!(error, OpenError::Foreign { .. }), "{error:?}");
    }
    // Nor by way of its directory.
    let to = KeyPlace::Shared { directory: &local, nats: &world.nats };
    let error = copy_keys(theirs, to, other.rng(), |_, _| {}).await.unwrap_err();
    assert!(matches!(error, OpenError::Foreign { .. }), "{error:?}");
    assert_eq!((world.keys.files(), other.files()), (before, files));
    assert_eq!(world.count().await, 0);
}

#[tokio::test]
async fn two_keys_for_one_user_are_an_error_and_neither_is_lost() {
    let world = World::none().await;
    let vault = world.keys.open().vault();
    let directory = world.directory();
    let shared = KeyPlace::Shared { directory: &directory, nats: &world.nats };
    let local = KeyPlace::Local(&directory);
    copy_keys(local, shared, world.keys.rng(), |_, _| {}).await.unwrap();
    vault.seal(&world.keys.acme, user(1), FIELD, b"x").await.unwrap();
    world.replica().await.vault().seal(&world.keys.acme, user(1), FIELD, b"x").await.unwrap();
    let before = (world.keys.files(), world.message(1).await.unwrap().payload);
    for (from, to) in [(local, shared), (shared, local)] {
        let error = copy_keys(from, to, world.keys.rng(), |_, _| {}).await.unwrap_err();
        assert!(error.to_string().contains("another than the one to be copied"), "{error}");
    }
    assert_eq!((world.keys.files(), world.message(1).await.unwrap().payload), before);
}

#[tokio::test]
async fn a_side_that_was_left_behind_by_a_rotation_is_given_the_newer_ring() {
    let world = World::none().await;
    let old = Keys::elsewhere();
    let opened = old.open();
    let sealed = some(&opened.vault(), &old).await;
    drop(opened);
    let (local, directory) = (old.directory(), world.directory());
    let back = KeyPlace::Local(&local);
    let there = KeyPlace::Shared { directory: &directory, nats: &world.nats };
    copy_keys(back, there, old.rng(), |_, _| {}).await.unwrap();
    let shared = SharedKeys::open(&directory, &world.nats, old.rng()).await.unwrap();
    shared.rotation().begin_kek_rotation().await.unwrap();
    shared.rotation().run(|| false).await.unwrap();
    let late = shared.vault().seal(&old.acme, user(8), FIELD, b"late").await.unwrap();
    // The same keys, wrapped otherwise, are no conflict.
    for (from, to) in [(there, back), (back, there)] {
        copy_keys(from, to, old.rng(), |_, _| {}).await.unwrap();
    }
    let vault = old.open().vault();
    opens(&vault, &old, &sealed).await;
    assert_eq!(vault.unseal(&old.acme, user(8), FIELD, &late).await.unwrap().expose(), b"late");
    assert_eq!(verify(&local, |_, _| {}).unwrap().problems, []);
}
