//! NATS away, killed, and back.

use std::time::{Duration, Instant};

use countersign_core::UserKey;
use countersign_keys::{OpenError, SharedKeys, VaultError};
use countersign_testkit::NatsCluster;

use super::{FIELD, STREAM, World, soon};
use crate::support::Keys;

const ALICE: UserKey = UserKey::new([1; 16]);
const BOB: UserKey = UserKey::new([2; 16]);
/// What a caller waits at most, and some for a slow machine.
const BOUND: Duration = Duration::from_secs(4);

#[tokio::test]
async fn while_nats_is_away_users_in_memory_go_on_and_others_are_told_so_in_time() {
    let mut world = World::made().await;
    let acme = world.keys.acme.clone();
    let vault = world.replica().await.vault();
    let sealed = vault.seal(&acme, ALICE, FIELD, b"seed").await.unwrap();
    world.server.kill().await;

    assert_eq!(vault.unseal(&acme, ALICE, FIELD, &sealed).await.unwrap().expose(), b"seed");
    let more = vault.seal(&acme, ALICE, FIELD, b"more").await.unwrap();
    let began = Instant::now();
    let outcomes = tokio::join!(
        vault.seal(&acme, BOB, FIELD, b"seed"),
        vault.unseal(&acme, BOB, FIELD, &sealed),
        vault.erase(&acme, ALICE),
    );
    assert!(began.elapsed() < BOUND, "{:?}", began.elapsed());
    assert!(matches!(outcomes.0, Err(VaultError::Unavailable(_))), "{:?}", outcomes.0);
    assert!(matches!(outcomes.1, Err(VaultError::Unavailable(_))), "{:?}", outcomes.1);
    assert!(matches!(outcomes.2, Err(VaultError::Unavailable(_))), "{:?}", outcomes.2);
    let error = world.try_open().await.unwrap_err();
    assert!(matches!(error, OpenError::Unavailable(_)), "{error:?}");

    world.server.restart().await;
    soon(async || vault.seal(&acme, BOB, FIELD, b"seed").await.is_ok()).await;
    for vault in [&vault, &world.replica().await.vault()] {
        assert_eq!(vault.unseal(&acme, ALICE, FIELD, &more).await.unwrap().expose(), b"more");
    }
    // It hears again who is erased elsewhere.
    world.replica().await.vault().erase(&acme, ALICE).await.unwrap();
    soon(async || {
        matches!(vault.unseal(&acme, ALICE, FIELD, &sealed).await, Err(VaultError::Erased))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_keeps_every_key_that_it_acknowledged() {
    let mut world = World::made().await;
    let vault = world.replica().await.vault();
    let tasks: Vec<_> = (0..8_u8)
        .map(|task| {
            let (vault, acme) = (vault.clone(), world.keys.acme.clone());
            tokio::spawn(async move {
                let mut sealed = Vec::new();
                for number in 0..=u8::MAX {
                    let user =
                        UserKey::new([task, number, 7, 7, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]);
                    match vault.seal(&acme, user, FIELD, &[number]).await {
                        Ok(value) => sealed.push((user, number, value)),
                        Err(_) => break,
                    }
                }
                sealed
            })
        })
        .collect();
    let nats = world.nats.clone();
    soon(async move || {
        let stream = nats.jetstream().get_stream(STREAM).await;
        stream.is_ok_and(|stream| stream.cached_info().state.messages > 50)
    })
    .await;
    world.server.kill().await;
    world.server.restart().await;
    let vault = world.replica().await.vault();
    let mut kept = 0;
    for task in tasks {
        for (user, number, sealed) in task.await.unwrap() {
            let opened = vault.unseal(&world.keys.acme, user, FIELD, &sealed).await;
            assert_eq!(opened.unwrap().expose(), [number]);
            kept += 1;
        }
    }
    assert!(kept > 0);
}

#[tokio::test]
async fn a_cluster_that_loses_the_streams_leader_keeps_every_key() {
    let mut cluster = NatsCluster::start().await;
    let nats = cluster.connect().await;
    let keys = Keys::none();
    let vault = SharedKeys::create(&keys.directory(), &nats, keys.rng()).await.unwrap().vault();
    let sealed = vault.seal(&keys.acme, ALICE, FIELD, b"seed").await.unwrap();
    let gone = vault.seal(&keys.acme, BOB, FIELD, b"seed").await.unwrap();
    vault.erase(&keys.acme, BOB).await.unwrap();
    let stream = nats.jetstream().get_stream(STREAM).await.unwrap();
    let leader = stream.cached_info().cluster.clone().and_then(|cluster| cluster.leader).unwrap();
    cluster.server_mut(&leader).kill().await;
    let fresh = cluster.connect().await;
    let mut opened = None;
    soon(async || {
        opened = SharedKeys::open(&keys.directory(), &fresh, keys.rng()).await.ok();
        opened.is_some()
    })
    .await;
    let vault = opened.unwrap().vault();
    soon(async || vault.seal(&keys.acme, UserKey::new([3; 16]), FIELD, b"x").await.is_ok()).await;
    let seed = vault.unseal(&keys.acme, ALICE, FIELD, &sealed).await.unwrap();
    assert_eq!(seed.expose(), b"seed");
    let outcome = vault.unseal(&keys.acme, BOB, FIELD, &gone).await;
    assert!(matches!(outcome, Err(VaultError::Erased)), "{outcome:?}");
}
