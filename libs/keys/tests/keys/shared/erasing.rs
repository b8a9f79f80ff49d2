//! What is erased is gone from the server's files, and for ever.

use countersign_core::UserKey;
use countersign_keys::VaultError;

use super::{FIELD, World, any_trace, marker, soon};

const ALICE: UserKey = UserKey::new([1; 16]);
const BOB: UserKey = UserKey::new([2; 16]);

/// Returns the wrapped key in a message.
async fn wrapped(world: &World, sequence: u64) -> Vec<u8> {
    world.message(sequence).await.unwrap().payload[44..184].to_vec()
}

#[tokio::test]
async fn no_byte_of_an_erased_key_is_left_in_the_servers_files() {
    let mut world = World::made().await;
    let vault = world.replica().await.vault();
    for user in [ALICE, BOB] {
        vault.seal(&world.keys.acme, user, FIELD, b"seed").await.unwrap();
    }
    let (alices, bobs) = (wrapped(&world, 1).await, wrapped(&world, 2).await);
    let store = world.server.store();
    assert!(any_trace(&store, &alices) && any_trace(&store, &bobs));
    vault.erase(&world.keys.acme, ALICE).await.unwrap();
    assert!(!any_trace(&store, &alices) && any_trace(&store, &bobs));
    // Nor when the server has started again on what it kept.
    world.server.restart().await;
    let vault = world.replica().await.vault();
    let outcome = vault.seal(&world.keys.acme, ALICE, FIELD, b"seed").await;
    assert!(matches!(outcome, Err(VaultError::Erased)), "{outcome:?}");
    assert!(!any_trace(&store, &alices) && any_trace(&store, &bobs));
}

#[tokio::test]
async fn an_erasure_that_was_interrupted_is_completed_by_repeating_it() {
    let world = World::made().await;
    let acme = &world.keys.acme;
    let vault = world.replica().await.vault();
    let sealed = vault.seal(acme, ALICE, FIELD, b"seed").await.unwrap();
    let key = wrapped(&world, 1).await;
    // As an eraser leaves it that is killed before it removes the key.
    world.put(ALICE, marker(&world.message(1).await.unwrap().payload)).await;
    soon(async || {
        matches!(vault.unseal(acme, ALICE, FIELD, &sealed).await, Err(VaultError::Erased))
    })
    .await;
    vault.erase(acme, ALICE).await.unwrap();
    assert!(world.message(1).await.is_none() && world.message(2).await.is_some());
    assert!(!any_trace(&world.server.store(), &key));
}

#[tokio::test]
async fn an_erasure_that_was_interrupted_is_completed_by_a_replica_that_hears_of_it() {
    let world = World::made().await;
    let vault = world.replica().await.vault();
    vault.seal(&world.keys.acme, ALICE, FIELD, b"seed").await.unwrap();
    let key = wrapped(&world, 1).await;
    world.put(ALICE, marker(&world.message(1).await.unwrap().payload)).await;
    soon(async || world.message(1).await.is_none()).await;
    assert!(!any_trace(&world.server.store(), &key));
}

#[tokio::test]
async fn an_erasure_that_was_interrupted_is_completed_by_the_next_start() {
    let world = World::made().await;
    let vault = world.replica().await.vault();
    for user in [ALICE, BOB] {
        vault.seal(&world.keys.acme, user, FIELD, b"seed").await.unwrap();
    }
    let key = wrapped(&world, 1).await;
    drop(vault);
    world.put(ALICE, marker(&world.message(1).await.unwrap().payload)).await;
    let _open = world.replica().await;
    soon(async || world.count().await == 2).await;
    assert!(world.message(1).await.is_none());
    assert!(!any_trace(&world.server.store(), &key));
}
