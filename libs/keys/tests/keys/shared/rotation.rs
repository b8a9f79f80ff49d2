//! Rotating keys that replicas share, while all of them serve.

use std::{fs, future::poll_fn, path::Path, pin::pin, sync::Arc, task::Poll, time::Duration};

use countersign_core::{TenantId, UserKey};
use countersign_crypto::Sealed;
use countersign_keys::{
    AssertionAlgorithm, AssertionRotation, KeyProviderChoice, KeyReport, OpenError, RotationError,
    RotationProgress, SharedKeys, UserVault, VaultError, verify_shared,
};
use countersign_testkit::MovableClock;
use tempfile::TempDir;

use super::{FIELD, STREAM, World, any_trace, soon};
use crate::support::files;

const MINUTE: Duration = Duration::from_secs(60);

fn user(number: u8) -> UserKey {
    UserKey::new([number; 16])
}

/// Opens the keys in `directory` as a replica whose clock is `clock`.
async fn replica(world: &World, directory: &Path, clock: &Arc<MovableClock>) -> SharedKeys {
    let (nats, clock) = (world.server.connect().await, Arc::clone(clock) as _);
    let local = KeyProviderChoice::Local;
    SharedKeys::open_with(directory, &nats, &local, world.keys.rng(), clock).await.unwrap()
}

async fn some(vault: &UserVault, acme: &TenantId, users: impl Iterator<Item = u8>) -> Vec<Sealed> {
    let mut sealed = Vec::new();
    for number in users {
        sealed.push(vault.seal(acme, user(number), FIELD, &[number]).await.unwrap());
    }
    sealed
}

async fn opens(vault: &UserVault, acme: &TenantId, sealed: &[Sealed]) {
    for (number, sealed) in (0..).zip(sealed) {
        let value = vault.unseal(acme, user(number), FIELD, sealed).await.unwrap();
        assert_eq!(value.expose(), [number]);
    }
}

/// Copies a directory to where another replica has it, as an operator does.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for (name, content) in files(from) {
        let unfinished = to.join(format!("{name}.copy"));
        fs::write(&unfinished, content).unwrap();
        crate::support::set_mode(&unfinished, 0o600);
        fs::rename(unfinished, to.join(name)).unwrap();
    }
    crate::support::set_mode(to, 0o700);
}

/// A directory of another machine.
fn elsewhere(world: &World) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    copy(&world.directory(), &root.path().join("keys"));
    root
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_go_on_while_one_rotates_and_nothing_of_the_old_wrapping_is_left() {
    let world = World::made().await;
    let acme = world.keys.acme.clone();
    let clock = Arc::new(MovableClock::default());
    let (one, other) = (
        replica(&world, &world.directory(), &clock).await,
        replica(&world, &world.directory(), &clock).await,
    );
    let sealed = some(&one.vault(), &acme, 0..20).await;
    let mut old = Vec::new();
    for sequence in 1..=20 {
        old.push(world.message(sequence).await.unwrap().payload[44..184].to_vec());
    }
    let rotation = one.rotation();
    assert_eq!(rotation.begin_kek_rotation().await.unwrap(), 2);
    // Until it is run, replicas may lack the new version: nothing is under it.
    assert_eq!(rotation.wrapping(), 1);
    let done = rotation.run(|| false).await.unwrap();
    assert_eq!(done, RotationProgress { done: 20, total: 20, version: 2 });
    assert_eq!((rotation.wrapping(), world.count().await), (2, 20));
    // The other one has them in memory; a third one reads them, wrapped anew.
    opens(&other.vault(), &acme, &sealed).await;
    opens(&world.replica().await.vault(), &acme, &sealed).await;
    // And one that had the older ring reads the file again.
    let later = some(&other.vault(), &acme, 20..24).await;
    soon(async || other.rotation().wrapping() == 2).await;
    let last = some(&other.vault(), &acme, 24..28).await;
    let all = [sealed, later, last].concat();
    opens(&one.vault(), &acme, &all).await;

    let refused = rotation.retire().await.unwrap_err();
    assert!(matches!(refused, RotationError::TooSoon { seconds: 60 }), "{refused:?}");
    clock.advance(MINUTE);
    // What the other one made in between is wrapped anew, too.
    rotation.run(|| false).await.unwrap();
    assert_eq!(rotation.retire().await.unwrap(), [1]);
    let store = world.server.store();
    assert!(old.iter().all(|key| !any_trace(&store, key)));
    soon(async || other.rotation().versions() == [2]).await;
    for keys in [one, other, world.replica().await] {
        opens(&keys.vault(), &acme, &all).await;
    }
    let report = verify_shared(&world.directory(), &world.nats, |_, _| {}).await.unwrap();
    assert_eq!(report, KeyReport { keys: 28, ..KeyReport::default() });
}

#[tokio::test]
async fn a_version_under_which_anything_is_wrapped_is_not_retired() {
    let world = World::made().await;
    let clock = Arc::new(MovableClock::default());
    let keys = replica(&world, &world.directory(), &clock).await;
    let rotation = keys.rotation();
    some(&keys.vault(), &world.keys.acme, 0..3).await;
    rotation.begin_kek_rotation().await.unwrap();
    let refused = rotation.retire().await.unwrap_err();
    assert!(matches!(refused, RotationError::StillWrapped { count: 5, .. }), "{refused:?}");
    // Stopped before its first step: it wraps, and nothing is wrapped anew.
    rotation.run(|| true).await.unwrap();
    clock.advance(MINUTE);
    let refused = rotation.retire().await.unwrap_err();
    assert!(matches!(refused, RotationError::StillWrapped { count: 5, .. }), "{refused:?}");
    rotation.run(|| false).await.unwrap();
    assert_eq!(rotation.retire().await.unwrap(), [1]);
}

#[tokio::test]
async fn a_replica_whose_directory_is_left_behind_makes_no_keys_until_it_has_the_new_one() {
    let world = World::made().await;
    let acme = world.keys.acme.clone();
    let clock = Arc::new(MovableClock::default());
    let one = replica(&world, &world.directory(), &clock).await;
    let root = elsewhere(&world);
    let left_behind = root.path().join("keys");
    let other = replica(&world, &left_behind, &clock).await;
    let sealed = some(&one.vault(), &acme, 0..3).await;
    opens(&other.vault(), &acme, &sealed[..1]).await;
    one.rotation().begin_kek_rotation().await.unwrap();
    one.rotation().run(|| false).await.unwrap();

    // What it has in memory goes on; the rest it cannot open, and it makes nothing under the old version once it looked.
    opens(&other.vault(), &acme, &sealed[..1]).await;
    let outcome = other.vault().unseal(&acme, user(1), FIELD, &sealed[1]).await;
    assert!(matches!(outcome, Err(VaultError::Damaged(_))), "{outcome:?}");
    let mut number = 0_u32;
    soon(async || {
        number += 1;
        let new = [[9; 12].as_slice(), &number.to_le_bytes()].concat();
        let new = UserKey::new(<[u8; 16]>::try_from(new).unwrap());
        let made = other.vault().seal(&acme, new, FIELD, b"new").await;
        matches!(made, Err(VaultError::Unavailable(_)))
    })
    .await;
    let refused = other.rotation().run(|| false).await.unwrap_err();
    assert!(matches!(refused, RotationError::Keys(OpenError::Foreign { .. })), "{refused:?}");

    copy(&world.directory(), &left_behind);
    opens(&other.vault(), &acme, &sealed).await;
    soon(async || other.vault().seal(&acme, user(99), FIELD, b"new").await.is_ok()).await;
    assert_eq!(other.rotation().wrapping(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_who_rotate_at_once_on_two_machines_and_erasures_in_between_do_no_harm() {
    let world = World::made().await;
    let acme = world.keys.acme.clone();
    let clock = Arc::new(MovableClock::default());
    let one = replica(&world, &world.directory(), &clock).await;
    let sealed = some(&one.vault(), &acme, 0..200).await;
    one.rotation().begin_kek_rotation().await.unwrap();
    let root = elsewhere(&world);
    let other = replica(&world, &root.path().join("keys"), &clock).await;
    let third = world.replica().await.vault();
    let erasing = async {
        for number in (0..200).step_by(2) {
            third.erase(&acme, user(number)).await.unwrap();
        }
    };
    let (rotation, twin) = (one.rotation(), other.rotation());
    let (done, too, ()) = tokio::join!(rotation.run(|| false), twin.run(|| false), erasing);
    done.unwrap();
    too.unwrap();
    // Keys of users, and markers: one message each.
    assert_eq!(world.count().await, 200);
    for vault in [one.vault(), other.vault(), world.replica().await.vault()] {
        for (number, sealed) in (0..200).zip(&sealed) {
            let erased = number % 2 == 0;
            // The word of an erasure reaches the others a moment later.
            soon(async || match vault.unseal(&acme, user(number), FIELD, sealed).await {
                Ok(value) => !erased && value.expose() == [number],
                Err(VaultError::Erased) => erased,
                Err(error) => panic!("user {number}: {error:?}"),
            })
            .await;
        }
    }
    clock.advance(MINUTE);
    assert_eq!(one.rotation().retire().await.unwrap(), [1]);
    let report = verify_shared(&world.directory(), &world.nats, |_, _| {}).await.unwrap();
    assert_eq!(report, KeyReport { keys: 100, erased: 100, ..KeyReport::default() });
}

/// Lets `work` go on `times` times, and drops it where it is, as a process that is killed does.
async fn cut_off(
    work: impl Future<Output = Result<RotationProgress, RotationError>>,
    times: u32,
) -> bool {
    let mut work = pin!(work);
    let mut left = times;
    poll_fn(|context| {
        left -= 1;
        match work.as_mut().poll(context) {
            Poll::Ready(outcome) => {
                outcome.unwrap();
                Poll::Ready(true)
            }
            Poll::Pending if left == 0 => Poll::Ready(false),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

#[tokio::test]
async fn a_rotation_that_is_killed_anywhere_is_completed_by_the_next() {
    let world = World::made().await;
    let acme = world.keys.acme.clone();
    let clock = Arc::new(MovableClock::default());
    let mut keys = replica(&world, &world.directory(), &clock).await;
    let sealed = some(&keys.vault(), &acme, 0..20).await;
    let (mut killed, mut doubled) = (0, 0);
    for times in (1..).step_by(3) {
        keys.rotation().begin_kek_rotation().await.unwrap();
        let is_done = cut_off(keys.rotation().run(|| false), times).await;
        drop(keys);
        keys = replica(&world, &world.directory(), &clock).await;
        opens(&keys.vault(), &acme, &sealed).await;
        let report = verify_shared(&world.directory(), &world.nats, |_, _| {}).await.unwrap();
        assert_eq!((report.keys, &report.problems), (20, &vec![]), "after {times} steps");
        doubled += report.unwiped;
        killed += u32::from(!is_done);
        keys.rotation().run(|| false).await.unwrap();
        assert_eq!(world.count().await, 20, "after {times} steps");
        clock.advance(MINUTE);
        keys.rotation().retire().await.unwrap();
        opens(&keys.vault(), &acme, &sealed).await;
        if is_done {
            break;
        }
    }
    assert!(killed > 3 && doubled > 0, "{killed} were killed, {doubled} keys were there twice");
}

#[tokio::test]
async fn another_key_for_the_same_user_is_named_and_not_removed() {
    let world = World::made().await;
    let acme = world.keys.acme.clone();
    let keys = world.replica().await;
    some(&keys.vault(), &acme, 0..2).await;
    let first = world.message(1).await.unwrap().payload.to_vec();
    // Erased, and then a key again, as no replica of ours writes it.
    let mut swapped = world.message(2).await.unwrap().payload.to_vec();
    swapped[8..44].copy_from_slice(&first[8..44]);
    let checksum = crc32c::crc32c(&swapped[4..184]).to_le_bytes();
    swapped[184..188].copy_from_slice(&checksum);
    world.put(user(0), swapped).await;
    let rotation = keys.rotation();
    rotation.begin_kek_rotation().await.unwrap();
    let text = rotation.run(|| false).await.unwrap_err().to_string();
    assert!(!text.is_empty());
    assert_eq!(world.message(1).await.unwrap().payload, first);
    let stream = world.nats.jetstream().get_stream(STREAM).await.unwrap();
    assert_eq!(stream.cached_info().state.messages, 3);
}

#[tokio::test]
async fn a_new_signing_key_reaches_replicas_without_a_restart() {
    let world = World::made().await;
    let (one, other) = (world.replica().await, world.replica().await);
    let handle = other.assertion_keys();
    let before = handle.signing().unwrap().kid().to_owned();
    let wanted = AssertionRotation {
        algorithm: AssertionAlgorithm::EdDsa,
        overlap: Duration::ZERO,
        statements_live: MINUTE,
    };
    let new = one.rotation().rotate_assertion_key(wanted).await.unwrap();
    soon(async || handle.signing().unwrap().kid() == new).await;
    assert!(handle.jwks().contains(&before) && handle.jwks().contains(&new));
    // A file that is damaged on the way is not taken.
    world.keys.flip_bit("assertion-keys", 200);
    let third = one.rotation().rotate_assertion_key(wanted).await.unwrap_err();
    assert!(third.to_string().contains("assertion-keys"), "{third}");
    assert_eq!(handle.signing().unwrap().kid(), new);
}
