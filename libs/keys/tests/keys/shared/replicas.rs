//! Replicas agree about every user.

use std::sync::Arc;

use countersign_core::{TenantId, UserKey};
use countersign_keys::VaultError;
use tokio::sync::Barrier;

use super::{FIELD, STREAM, World, soon};

const ALICE: UserKey = UserKey::new([1; 16]);
const BOB: UserKey = UserKey::new([2; 16]);

#[tokio::test(flavor = "multi_thread")]
async fn replicas_that_make_the_key_of_one_user_at_once_make_one() {
    let world = World::made().await;
    let replicas = [world.replica().await, world.replica().await];
    let together = Arc::new(Barrier::new(32));
    let tasks: Vec<_> = (0..32_u8)
        .map(|number| {
            let vault = replicas[usize::from(number % 2)].vault();
            let (together, acme) = (Arc::clone(&together), world.keys.acme.clone());
            tokio::spawn(async move {
                together.wait().await;
                vault.seal(&acme, ALICE, FIELD, &[number]).await.unwrap()
            })
        })
        .collect();
    let mut sealed = Vec::new();
    for task in tasks {
        sealed.push(task.await.unwrap());
    }
    assert_eq!(world.count().await, 1);
    for keys in replicas.into_iter().chain([world.replica().await]) {
        for (number, sealed) in (0..32_u8).zip(&sealed) {
            let opened = keys.vault().unseal(&world.keys.acme, ALICE, FIELD, sealed).await;
            assert_eq!(opened.unwrap().expose(), [number]);
        }
    }
}

#[tokio::test]
async fn who_is_erased_on_one_replica_is_soon_erased_on_all() {
    let world = World::made().await;
    let (one, other) = (world.replica().await.vault(), world.replica().await.vault());
    let acme = &world.keys.acme;
    let sealed = one.seal(acme, ALICE, FIELD, b"seed").await.unwrap();
    let bobs = one.seal(acme, BOB, FIELD, b"seed").await.unwrap();
    // From now on in the other's memory.
    other.unseal(acme, ALICE, FIELD, &sealed).await.unwrap();
    other.unseal(acme, BOB, FIELD, &bobs).await.unwrap();

    one.erase(acme, ALICE).await.unwrap();
    let outcome = one.unseal(acme, ALICE, FIELD, &sealed).await;
    assert!(matches!(outcome, Err(VaultError::Erased)), "{outcome:?}");
    // One that has nothing in memory knows at once.
    let fresh = world.replica().await.vault();
    for vault in [&fresh, &other] {
        soon(async || {
            matches!(vault.unseal(acme, ALICE, FIELD, &sealed).await, Err(VaultError::Erased))
        })
        .await;
        let outcome = vault.seal(acme, ALICE, FIELD, b"seed").await;
        assert!(matches!(outcome, Err(VaultError::Erased)), "{outcome:?}");
        assert_eq!(vault.unseal(acme, BOB, FIELD, &bobs).await.unwrap().expose(), b"seed");
        vault.erase(acme, ALICE).await.unwrap();
    }
    assert_eq!(world.count().await, 2);
}

#[tokio::test]
async fn a_user_who_never_had_a_key_can_be_erased_everywhere() {
    let world = World::made().await;
    let (one, other) = (world.replica().await.vault(), world.replica().await.vault());
    one.erase(&world.keys.acme, ALICE).await.unwrap();
    let outcome = other.seal(&world.keys.acme, ALICE, FIELD, b"seed").await;
    assert!(matches!(outcome, Err(VaultError::Erased)), "{outcome:?}");
}

#[tokio::test]
async fn a_key_is_given_to_its_own_tenant_only() {
    let world = World::made().await;
    let vault = world.replica().await.vault();
    let sealed = vault.seal(&world.keys.acme, ALICE, FIELD, b"seed").await.unwrap();
    let other = TenantId::parse("other").unwrap();
    // From memory, and at first from the stream.
    for vault in [vault, world.replica().await.vault()] {
        let outcome = vault.unseal(&other, ALICE, FIELD, &sealed).await;
        assert!(matches!(outcome, Err(VaultError::Damaged(_))), "{outcome:?}");
        let outcome = vault.erase(&other, ALICE).await;
        assert!(matches!(outcome, Err(VaultError::Damaged(_))), "{outcome:?}");
        vault.unseal(&world.keys.acme, ALICE, FIELD, &sealed).await.unwrap();
    }
}

#[tokio::test]
async fn what_others_wrote_is_refused_and_its_subject_named() {
    let world = World::made().await;
    let acme = &world.keys.acme;
    let first = world.replica().await.vault();
    let sealed = first.seal(acme, ALICE, FIELD, b"seed").await.unwrap();
    first.seal(acme, BOB, FIELD, b"seed").await.unwrap();
    let alices = world.message(1).await.unwrap().payload.to_vec();
    let bobs = world.message(2).await.unwrap().payload.to_vec();
    let mut flipped = alices.clone();
    flipped[60] ^= 1;
    let mut unwiped = alices.clone();
    unwiped[0] = 0xC3;
    // Whole, but with another's key.
    let mut mixed = alices.clone();
    mixed[44..184].copy_from_slice(&bobs[44..184]);
    let checksum = crc32c::crc32c(&mixed[4..184]).to_le_bytes();
    mixed[184..188].copy_from_slice(&checksum);
    for hostile in [vec![], b"{}".to_vec(), vec![0; 256], vec![0; 4_096], flipped, unwiped, mixed] {
        world.put(ALICE, hostile).await;
        let vault = world.replica().await.vault();
        let error = vault.unseal(acme, ALICE, FIELD, &sealed).await.unwrap_err();
        let VaultError::Damaged(source) = &error else { panic!("{error:?}") };
        let text = source.to_string();
        assert!(text.contains(&format!("{STREAM}.{ALICE}")), "{text}");
        let outcome = vault.seal(acme, ALICE, FIELD, b"seed").await;
        assert!(matches!(outcome, Err(VaultError::Damaged(_))), "{outcome:?}");
        // Nor is it used from memory any more.
        soon(async || first.unseal(acme, ALICE, FIELD, &sealed).await.is_err()).await;
    }
    // It can be erased like any other.
    first.erase(acme, ALICE).await.unwrap();
    assert_eq!(world.count().await, 2);
    let outcome = world.replica().await.vault().unseal(acme, ALICE, FIELD, &sealed).await;
    assert!(matches!(outcome, Err(VaultError::Erased)), "{outcome:?}");
}
