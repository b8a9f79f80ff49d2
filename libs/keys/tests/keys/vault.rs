//! Sealing, unsealing and erasing, as services do it.

use std::{
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use crate::support::{Keys, user_id};
use countersign_core::{TenantId, UserKey};
use countersign_crypto::Sealed;
use countersign_keys::{UserVault, VaultError};
use tokio::sync::Barrier;

const FIELD: &str = "authenticator.record";

async fn vault_with_user(keys: &Keys, name: &str) -> (UserVault, UserKey, Sealed) {
    let vault = keys.open().vault();
    let user = vault.user_key(&keys.acme, &user_id(name));
    let sealed = vault.seal(&keys.acme, user, FIELD, b"seed").await.unwrap();
    (vault, user, sealed)
}

#[tokio::test]
async fn what_is_sealed_for_a_user_opens_for_that_user_and_nobody_else() {
    let keys = Keys::none();
    let (vault, alice, sealed) = vault_with_user(&keys, "alice").await;
    assert_eq!(vault.unseal(&keys.acme, alice, FIELD, &sealed).await.unwrap().expose(), b"seed");

    let (_, bob, _) = vault_with_user(&keys, "bob").await;
    let other = TenantId::parse("other").unwrap();
    // Another open vault of the same keys sees only what was there when it was opened, so open one that sees all.
    let vault = keys.open().vault();
    for (tenant, user, field) in [
        (&keys.acme, bob, FIELD),
        (&other, alice, FIELD),
        (&keys.acme, alice, "authenticator.display_name"),
    ] {
        let outcome = vault.unseal(tenant, user, field, &sealed).await;
        assert!(matches!(outcome, Err(VaultError::Damaged(_))), "{outcome:?}");
    }
    let mut altered = sealed;
    altered.ciphertext[30] ^= 1;
    let outcome = vault.unseal(&keys.acme, alice, FIELD, &altered).await;
    assert!(matches!(outcome, Err(VaultError::Damaged(_))), "{outcome:?}");
}

#[tokio::test]
async fn what_was_sealed_opens_after_a_restart() {
    let keys = Keys::none();
    let (vault, alice, sealed) = vault_with_user(&keys, "alice").await;
    drop(vault);
    let vault = keys.open().vault();
    assert_eq!(vault.unseal(&keys.acme, alice, FIELD, &sealed).await.unwrap().expose(), b"seed");
}

#[tokio::test]
async fn after_a_user_is_erased_nothing_is_sealed_or_unsealed() {
    let keys = Keys::none();
    let (vault, alice, sealed) = vault_with_user(&keys, "alice").await;
    vault.erase(&keys.acme, alice).await.unwrap();
    for vault in [vault, keys.open().vault()] {
        vault.erase(&keys.acme, alice).await.unwrap();
        let unsealed = vault.unseal(&keys.acme, alice, FIELD, &sealed).await;
        assert!(matches!(unsealed, Err(VaultError::Erased)), "{unsealed:?}");
        let sealed = vault.seal(&keys.acme, alice, FIELD, b"seed").await;
        assert!(matches!(sealed, Err(VaultError::Erased)), "{sealed:?}");
    }
}

#[tokio::test]
async fn a_value_is_named_the_same_by_everyone_who_has_the_keys_until_the_user_is_erased() {
    let keys = Keys::none();
    let (vault, alice, _) = vault_with_user(&keys, "alice").await;
    let (_, bob, _) = vault_with_user(&keys, "bob").await;
    let vaults = [vault, keys.open().vault()];
    let named = async |vault: &UserVault, user| vault.name(&keys.acme, user, "source", b"7").await;
    let name = named(&vaults[0], alice).await.unwrap();
    assert_eq!(named(&vaults[1], alice).await.unwrap(), name);
    assert_ne!(named(&vaults[1], bob).await.unwrap(), name);
    vaults[1].erase(&keys.acme, alice).await.unwrap();
    let outcome = named(&vaults[1], alice).await;
    assert!(matches!(outcome, Err(VaultError::Erased)), "{outcome:?}");
}

#[tokio::test]
async fn a_user_who_never_had_a_key_can_be_erased() {
    let keys = Keys::none();
    let vault = keys.open().vault();
    let nobody = vault.user_key(&keys.acme, &user_id("nobody"));
    vault.erase(&keys.acme, nobody).await.unwrap();
    for vault in [vault, keys.open().vault()] {
        let sealed = vault.seal(&keys.acme, nobody, FIELD, b"seed").await;
        assert!(matches!(sealed, Err(VaultError::Erased)), "{sealed:?}");
    }
}

#[tokio::test]
async fn a_log_without_its_keys_reads_as_if_everybody_were_erased() {
    let (_, alice, sealed) = vault_with_user(&Keys::none(), "alice").await;
    let keys = Keys::none();
    let outcome = keys.open().vault().unseal(&keys.acme, alice, FIELD, &sealed).await;
    assert!(matches!(outcome, Err(VaultError::Erased)), "{outcome:?}");
}

#[tokio::test]
async fn a_key_is_on_disk_before_anything_is_sealed_under_it() {
    let keys = Keys::none();
    let (_still_open, alice, sealed) = vault_with_user(&keys, "alice").await;
    // As a process that is killed now leaves the files.
    let copy = Keys::made();
    copy.put(&keys.files());
    let vault = copy.open().vault();
    assert_eq!(vault.unseal(&keys.acme, alice, FIELD, &sealed).await.unwrap().expose(), b"seed");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_tasks_seal_for_one_new_user_and_read_each_other() {
    let keys = Keys::none();
    let vault = keys.open().vault();
    let alice = vault.user_key(&keys.acme, &user_id("alice"));
    let together = Arc::new(Barrier::new(64));
    let tasks: Vec<_> = (0..64_u8)
        .map(|number| {
            let (vault, acme) = (vault.clone(), keys.acme.clone());
            let together = Arc::clone(&together);
            tokio::spawn(async move {
                together.wait().await;
                vault.seal(&acme, alice, FIELD, &[number]).await.unwrap()
            })
        })
        .collect();
    let mut sealed = Vec::new();
    for task in tasks {
        sealed.push(task.await.unwrap());
    }
    for vault in [vault, keys.open().vault()] {
        for (number, sealed) in (0..64_u8).zip(&sealed) {
            let opened = vault.unseal(&keys.acme, alice, FIELD, sealed).await.unwrap();
            assert_eq!(opened.expose(), [number]);
        }
    }
}

/// Polls once, as the first turn of a task does.
fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(future).poll(&mut context) {
        Poll::Ready(outcome) => Some(outcome),
        Poll::Pending => None,
    }
}

#[tokio::test]
async fn a_key_that_is_there_is_found_without_waiting() {
    let keys = Keys::none();
    let (vault, alice, sealed) = vault_with_user(&keys, "alice").await;
    // From memory, and at first from the file.
    for vault in [vault, keys.open().vault()] {
        let opened = at_once(vault.unseal(&keys.acme, alice, FIELD, &sealed));
        assert_eq!(opened.unwrap().unwrap().expose(), b"seed");
        assert!(at_once(vault.seal(&keys.acme, alice, FIELD, b"seed")).unwrap().is_ok());
    }
}

#[tokio::test]
async fn debug_and_errors_tell_nothing() {
    let keys = Keys::none();
    let (vault, alice, mut sealed) = vault_with_user(&keys, "alice").await;
    assert_eq!(format!("{vault:?}"), "UserVault([redacted])");
    let opened = keys.open();
    let text = format!("{opened:?}");
    assert!(text.contains(opened.signing_key().kid()) && !text.contains("vault"), "{text}");
    sealed.ciphertext.clear();
    let error = vault.unseal(&keys.acme, alice, FIELD, &sealed).await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains(&alice.to_string()));
}
