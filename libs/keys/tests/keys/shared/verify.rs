//! What the operator's doctor is told of shared keys.

use countersign_core::UserKey;
use countersign_keys::{KeyReport, verify_shared};

use super::{FIELD, World, marker};

const fn user(number: u8) -> UserKey {
    UserKey::new([number; 16])
}

#[tokio::test]
async fn every_key_is_looked_at_and_what_is_wrong_is_named() {
    let world = World::made().await;
    let report = async || verify_shared(&world.directory(), &world.nats, |_, _| {}).await.unwrap();
    assert_eq!(report().await, KeyReport::default());
    let vault = world.replica().await.vault();
    for number in 0..4 {
        vault.seal(&world.keys.acme, user(number), FIELD, b"v").await.unwrap();
    }
    for number in 3..5 {
        vault.erase(&world.keys.acme, user(number)).await.unwrap();
    }
    drop(vault);
    assert_eq!(report().await, KeyReport { keys: 3, erased: 2, ..KeyReport::default() });

    // An erasure that was interrupted; two keys for one user; bytes that are no key.
    let keys = [
        world.message(1).await.unwrap().payload.to_vec(),
        world.message(2).await.unwrap().payload.to_vec(),
    ];
    world.put(user(0), marker(&keys[0])).await;
    world.put(user(1), keys[1].clone()).await;
    world.put(user(9), b"no key".to_vec()).await;
    let found = report().await;
    assert_eq!((found.keys, found.erased, found.unwiped), (2, 3, 1), "{found:?}");
    let named: Vec<_> = found.problems.iter().map(|problem| problem.place.clone()).collect();
    assert_eq!(named.len(), 2, "{named:?}");
    assert!(named[0].contains(&user(1).to_string()) && named[1].contains(&user(9).to_string()));
}

#[tokio::test]
async fn progress_ends_where_it_should_and_nothing_is_changed() {
    let world = World::made().await;
    let vault = world.replica().await.vault();
    for number in 0..5 {
        vault.seal(&world.keys.acme, user(number), FIELD, b"v").await.unwrap();
    }
    let before = world.keys.files();
    let mut seen = Vec::new();
    verify_shared(&world.directory(), &world.nats, |done, total| seen.push((done, total)))
        .await
        .unwrap();
    assert_eq!((seen.first(), seen.last()), (Some(&(0, 5)), Some(&(5, 5))));
    assert_eq!((world.keys.files(), world.count().await), (before, 5));
}

#[tokio::test]
async fn the_other_keys_are_looked_at_too() {
    let world = World::made().await;
    world.keys.flip_bit("index-key", 200);
    world.keys.flip_bit("assertion-keys", 200);
    let report = verify_shared(&world.directory(), &world.nats, |_, _| {}).await.unwrap();
    assert_eq!(report.problems.len(), 2, "{report:?}");
}
