//! Secrets keys are exchanged on one replica, and all others go on.

use countersign_core::UserKey;
use countersign_keys::{SecretsKey, UserVault, VaultError};

use super::{FIELD, World, any_trace, soon};

const ALICE: UserKey = UserKey::new([1; 16]);

fn key(world: &World, generation: u32) -> SecretsKey {
    SecretsKey { tenant: world.keys.acme.clone(), user: ALICE, generation }
}

async fn begin(world: &World, vault: &UserVault, of: u32) {
    vault.begin_exchange(vec![key(world, of)]).await.unwrap().remove(0).unwrap();
}

async fn end(world: &World, vault: &UserVault, keep: u32) {
    vault.end_exchange(vec![key(world, keep)]).await.unwrap().remove(0).unwrap();
}

/// Returns the wrapped keys in a message.
async fn wrapped(world: &World, sequence: u64) -> Vec<u8> {
    world.message(sequence).await.unwrap().payload[44..184].to_vec()
}

#[tokio::test]
async fn what_was_sealed_before_opens_nowhere_once_the_exchange_has_ended() {
    let mut world = World::made().await;
    let (one, other) = (world.replica().await.vault(), world.replica().await.vault());
    let acme = world.keys.acme.clone();
    let name = one.seal(&acme, ALICE, FIELD, b"name").await.unwrap();
    let former = one.seal_secret(&key(&world, 1), FIELD, b"seed").await.unwrap();
    // From now on in the other's memory.
    other.unseal_secret(&acme, ALICE, FIELD, &former).await.unwrap();
    let mut gone = vec![wrapped(&world, 1).await];

    begin(&world, &one, 1).await;
    gone.push(wrapped(&world, 2).await);
    let next = one.seal_secret(&key(&world, 2), FIELD, b"seed").await.unwrap();
    for vault in [&one, &other] {
        for sealed in [&former, &next] {
            let opened = vault.unseal_secret(&acme, ALICE, FIELD, sealed).await.unwrap();
            assert_eq!(opened.expose(), b"seed");
        }
        // Whoever has not heard of the exchange yet goes on as before.
        vault.seal_secret(&key(&world, 1), FIELD, b"late").await.unwrap();
    }

    end(&world, &one, 2).await;
    let fresh = world.replica().await.vault();
    for vault in [&one, &other, &fresh] {
        soon(async || {
            let opened = vault.unseal_secret(&acme, ALICE, FIELD, &former).await;
            matches!(opened, Err(VaultError::Superseded))
        })
        .await;
        let late = vault.seal_secret(&key(&world, 1), FIELD, b"late").await;
        assert!(matches!(late, Err(VaultError::Superseded)), "{late:?}");
        let opened = vault.unseal_secret(&acme, ALICE, FIELD, &next).await.unwrap();
        assert_eq!(opened.expose(), b"seed");
        // The rest of the user's data stays readable.
        assert_eq!(vault.unseal(&acme, ALICE, FIELD, &name).await.unwrap().expose(), b"name");
    }
    assert_eq!(world.count().await, 1);
    let store = world.server.store();
    assert!(any_trace(&store, &wrapped(&world, 3).await));
    for former in &gone {
        assert!(!any_trace(&store, former));
    }
    world.server.restart().await;
    assert!(!gone.iter().any(|former| any_trace(&store, former)));
}

#[tokio::test]
async fn what_a_killed_process_left_is_removed_by_whoever_goes_on() {
    let world = World::made().await;
    let vault = world.replica().await.vault();
    let former = vault.seal_secret(&key(&world, 1), FIELD, b"seed").await.unwrap();
    begin(&world, &vault, 1).await;
    let begun = world.message(2).await.unwrap().payload.to_vec();
    let next = vault.seal_secret(&key(&world, 2), FIELD, b"seed").await.unwrap();
    // As it is left by a process that is killed before it removes the message before.
    world.put(ALICE, begun).await;
    assert_eq!(world.count().await, 2);
    let other = world.replica().await.vault();
    begin(&world, &other, 1).await;
    assert_eq!(world.count().await, 1);
    // It is the same key that others have used.
    other.unseal_secret(&world.keys.acme, ALICE, FIELD, &next).await.unwrap();
    end(&world, &other, 2).await;
    end(&world, &vault, 2).await;
    assert_eq!(world.count().await, 1);
    soon(async || {
        vault.unseal_secret(&world.keys.acme, ALICE, FIELD, &former).await.is_err()
            && vault.unseal_secret(&world.keys.acme, ALICE, FIELD, &next).await.is_ok()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_that_exchange_at_once_use_one_key() {
    let world = World::made().await;
    let replicas = [world.replica().await.vault(), world.replica().await.vault()];
    for of in 1..6 {
        replicas[0].seal_secret(&key(&world, of), FIELD, b"seed").await.unwrap();
        tokio::join!(begin(&world, &replicas[0], of), begin(&world, &replicas[1], of));
        let keep = of + 1;
        let sealed = replicas[0].seal_secret(&key(&world, keep), FIELD, b"seed").await.unwrap();
        replicas[1].unseal_secret(&world.keys.acme, ALICE, FIELD, &sealed).await.unwrap();
        tokio::join!(end(&world, &replicas[0], keep), end(&world, &replicas[1], keep));
        assert_eq!(world.count().await, 1);
    }
}

#[tokio::test]
async fn whoever_was_erased_is_not_exchanged_and_another_tenants_user_is_not_touched() {
    let world = World::made().await;
    let vault = world.replica().await.vault();
    vault.seal_secret(&key(&world, 1), FIELD, b"seed").await.unwrap();
    let tenant = countersign_core::TenantId::parse("other").unwrap();
    let foreign = SecretsKey { tenant, ..key(&world, 1) };
    let outcome = vault.begin_exchange(vec![foreign]).await.unwrap().remove(0);
    assert!(matches!(outcome, Err(VaultError::Damaged(_))), "{outcome:?}");
    vault.erase(&world.keys.acme, ALICE).await.unwrap();
    let outcome = vault.begin_exchange(vec![key(&world, 1)]).await.unwrap().remove(0);
    assert!(matches!(outcome, Err(VaultError::Erased)), "{outcome:?}");
}
