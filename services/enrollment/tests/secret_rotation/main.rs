//! Every user's secrets are sealed anew, wherever it is interrupted, and what they were sealed under before is gone.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed test says so by panicking"
)]

mod world;

use countersign_crypto::Sealed;
use countersign_keys::VaultError;
use countersign_service::User;
use world::World;

/// Three users: an app and codes; an app; codes. Returns each with what is stored of them.
async fn three(world: &World) -> Vec<(User, Vec<Sealed>)> {
    let users = ["ann", "bob", "cid"].map(|name| world.user(name));
    world.enroll(&users[0], "seed of ann").await;
    world.issue_codes(&users[0], "codes of ann").await;
    world.enroll(&users[1], "seed of bob").await;
    world.issue_codes(&users[2], "codes of cid").await;
    let mut stored = Vec::new();
    for user in users {
        let sealed = world.sealed(&user).await;
        stored.push((user, sealed));
    }
    stored
}

/// Looks whether everybody has what they had, under another key, and whether nothing opens any more that was stored before.
async fn everybody_is_under_generation(
    world: &World,
    before: &[(User, Vec<Sealed>)],
    generation: u32,
) {
    let expected = [&["seed of ann", "codes of ann"][..], &["seed of bob"], &["codes of cid"]];
    for ((user, former), expected) in before.iter().zip(expected) {
        assert_eq!(world.secrets(user).await, expected);
        let sealed = world.sealed(user).await;
        assert!(sealed.iter().all(|sealed| sealed.generation() == Some(generation)));
        for former in former {
            let opened = world.open(user, former).await;
            assert!(matches!(opened, Err(VaultError::Superseded)), "{opened:?}");
        }
    }
}

#[tokio::test]
async fn every_secret_is_under_a_fresh_key_and_the_one_before_is_gone() {
    let mut world = World::new();
    let mut before = three(&world).await;
    for generation in [2, 3] {
        let event = world.begin().await;
        world.react(&event).await.unwrap();
        everybody_is_under_generation(&world, &before, generation).await;
        let rotation = world.rotation().await;
        assert_eq!((rotation.rotation, rotation.users_done), (generation - 1, 3));
        assert!(rotation.completed_at.is_some());
        // Nothing of it was in memory only.
        world.restart();
        everybody_is_under_generation(&world, &before, generation).await;
        for (user, former) in &mut before {
            former.extend(world.sealed(user).await);
        }
    }
    let tells = world.keyring_events().await;
    let types: Vec<_> = tells.iter().map(|event| &*event.event.event_type).collect();
    let each = ["SecretRotationBegun", "SecretRotationCompleted"];
    assert_eq!(types, [each, each].concat());
    let requesters = tells.iter().map(|event| &*event.event.metadata.requester);
    assert!(requesters.eq(["api-key:platform.k1"; 4]));
}

#[tokio::test]
async fn an_event_that_is_seen_again_changes_nothing() {
    let world = World::new();
    let before = three(&world).await;
    let event = world.begin().await;
    world.react(&event).await.unwrap();
    let (sealed, rotation) = (world.sealed(&before[0].0).await, world.rotation().await);
    world.react(&event).await.unwrap();
    assert_eq!(world.sealed(&before[0].0).await, sealed);
    assert_eq!(world.rotation().await, rotation);
    assert_eq!(world.keyring_events().await.len(), 2);
}

#[tokio::test]
async fn whoever_goes_on_after_any_append_finishes_it_and_loses_no_secret() {
    for loses_the_last in [false, true] {
        for appends in 0.. {
            let mut world = World::new();
            let before = three(&world).await;
            let event = world.begin().await;
            world.log.end_after(appends, loses_the_last);
            let outcome = world.react(&event).await;
            let was_interrupted = world.log.go_on();
            if outcome.is_ok() {
                assert_eq!(appends, 4, "three users, and that it is complete");
                break;
            }
            assert!(was_interrupted);
            world.restart();
            // Whoever signs in meanwhile finds what there is.
            for (user, _) in &before {
                assert!(!world.secrets(user).await.is_empty(), "after {appends} appends");
            }
            world.react(&event).await.unwrap();
            everybody_is_under_generation(&world, &before, 2).await;
            assert!(world.rotation().await.completed_at.is_some());
        }
    }
}

#[tokio::test]
async fn a_service_that_stops_comes_to_a_halt_and_goes_on_at_the_next_start() {
    let mut world = World::new();
    let users: Vec<_> = (0..150).map(|n| world.user(&format!("user-{n}"))).collect();
    for user in &users {
        world.enroll(user, "a seed").await;
    }
    let event = world.begin().await;
    world.stop.cancel();
    assert!(world.react(&event).await.is_err());
    assert_eq!(world.rotation().await.completed_at, None);
    world.restart();
    world.react(&event).await.unwrap();
    let rotation = world.rotation().await;
    assert_eq!((rotation.users_done, rotation.users_total), (150, 150));
    for user in &users {
        assert_eq!(world.secrets(user).await, ["a seed"]);
        assert_eq!(world.sealed(user).await[0].generation(), Some(2));
    }
}

#[tokio::test]
async fn whoever_was_erased_or_cannot_be_read_keeps_nobody() {
    let world = World::new();
    let before = three(&world).await;
    let (gone, odd) = (world.user("gone"), world.user("odd"));
    world.enroll(&gone, "seed of gone").await;
    world.erase(&gone).await;
    world.enroll(&odd, "seed of odd").await;
    let good = world.sealed(&odd).await.remove(0);
    let key_id = good.key_id.clone();
    world.enroll_with(&odd, Sealed { key_id, ciphertext: vec![7; 60] }).await;
    let damaged = world.sealed(&odd).await;

    let event = world.begin().await;
    world.react(&event).await.unwrap();
    everybody_is_under_generation(&world, &before, 2).await;
    assert_eq!(world.rotation().await.users_done, 3);
    assert!(world.sealed(&gone).await.is_empty());
    // What can be read of the user whose record is damaged still can.
    assert_eq!(world.sealed(&odd).await, damaged);
    assert_eq!(world.open(&odd, &good).await.unwrap(), "seed of odd");
}

#[tokio::test]
async fn an_installation_without_users_has_nothing_to_seal() {
    let world = World::new();
    let event = world.begin().await;
    world.react(&event).await.unwrap();
    let rotation = world.rotation().await;
    assert_eq!((rotation.users_done, rotation.users_total), (0, 0));
    assert!(rotation.completed_at.is_some());
}

#[tokio::test]
async fn whose_key_is_lost_is_named_and_keeps_nobody() {
    let mut world = World::new();
    let before = three(&world).await;
    let (ann, sealed) = &before[0];
    // As with keys from after a rotation beside a log from before it.
    world.lose_key(ann, 1).await;
    world.restart();
    let opened = world.open(ann, &sealed[0]).await;
    assert!(matches!(opened, Err(VaultError::Superseded)), "{opened:?}");
    let error = world.open_as_services_do(ann).await.unwrap_err();
    assert_eq!(error.reason.as_str(), "DATA_DAMAGED");
    let source = error.source.unwrap().to_string();
    assert!(source.contains("not of the same time"), "{source}");

    let event = world.begin().await;
    world.react(&event).await.unwrap();
    let rotation = world.rotation().await;
    assert!(rotation.completed_at.is_some());
    assert_eq!(rotation.users_done, 2);
    assert_eq!(world.secrets(&before[1].0).await, ["seed of bob"]);
    assert_eq!(world.sealed(ann).await, *sealed);
}
