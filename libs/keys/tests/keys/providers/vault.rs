//! Vault Transit.

use std::{fs, sync::Arc};

use countersign_core::UserKey;
use countersign_keys::{KeyProviderChoice, ProviderError, SharedKeys, VaultSettings};
use countersign_testkit::MovableClock;
use http::Request;
use tempfile::TempDir;
use tokio::process::Command;

use super::{ALICE, FIELD, Server, a_life, a_move, open, refused, script, tool};
use crate::{
    shared::{World, soon},
    support::Keys,
};

const TOKEN: &str = "hvs.t0ken-of-a-test";

/// A Vault with a key, and how it is asked.
struct Vault {
    server: Server,
    directory: TempDir,
}

impl Vault {
    async fn start() -> Self {
        let server = Server::start(|port| {
            let mut command = Command::new(tool("python"));
            command.arg(script("vault_transit.py")).arg(port.to_string()).arg(TOKEN);
            command
        })
        .await;
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("token"), TOKEN).unwrap();
        let vault = Self { server, directory };
        vault.operator("POST", "transit/keys/kek", "{}").await;
        vault
    }

    async fn operator(&self, method: &str, path: &str, body: &str) -> serde_json::Value {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}/v1/{path}", self.server.url()))
            .header("x-vault-token", TOKEN);
        self.server.asked(request, body.to_owned()).await
    }

    fn settings(&self) -> VaultSettings {
        VaultSettings {
            address: self.server.url(),
            key: "kek".to_owned(),
            mount: "transit".to_owned(),
            namespace: None,
            token_file: self.directory.path().join("token"),
            ca_file: None,
        }
    }

    fn choice(&self) -> KeyProviderChoice {
        KeyProviderChoice::Vault(self.settings())
    }
}

#[tokio::test]
async fn vaults_own_client_finds_the_double_to_be_like_vault() {
    let vault = Vault::start().await;
    let asked = Command::new(tool("python"))
        .arg(script("vault_client.py"))
        .args([vault.server.url().as_str(), TOKEN])
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&asked.stderr);
    assert!(asked.status.success(), "{said}");
    assert_eq!(asked.stdout, b"like Vault\n");
}

#[tokio::test]
async fn a_ring_that_vault_keeps_is_opened_rotated_and_retired() {
    a_life(&Vault::start().await.choice()).await;
}

#[tokio::test]
async fn a_ring_moves_to_vault_and_back_and_leaves_no_key_in_the_clear() {
    a_move(&Vault::start().await.choice()).await;
}

#[tokio::test]
async fn after_vault_has_rotated_its_key_the_ring_is_wrapped_under_the_new_one() {
    let vault = Vault::start().await;
    let keys = Keys::none();
    let opened = open(&keys, &vault.choice()).await.unwrap();
    let is_under =
        |version: &[u8]| keys.files()["kek"].windows(version.len()).any(|found| found == version);
    vault.operator("POST", "transit/keys/kek/rotate", "{}").await;
    assert!(is_under(b"vault:v1:") && !is_under(b"vault:v2:"));
    opened.rotation().rewrap_ring().await.unwrap();
    assert!(is_under(b"vault:v2:") && !is_under(b"vault:v1:"));
    // From now on Vault may forget the old one.
    let floor = r#"{"min_decryption_version":2}"#;
    vault.operator("POST", "transit/keys/kek/config", floor).await;
    drop(opened);
    open(&keys, &vault.choice()).await.unwrap();
}

#[tokio::test]
async fn a_ring_under_a_key_that_vault_no_longer_opens_is_refused_and_says_why() {
    let vault = Vault::start().await;
    let keys = Keys::none();
    open(&keys, &vault.choice()).await.unwrap();
    vault.operator("POST", "transit/keys/kek/rotate", "{}").await;
    let floor = r#"{"min_decryption_version":2}"#;
    vault.operator("POST", "transit/keys/kek/config", floor).await;
    let error = refused(open(&keys, &vault.choice()).await);
    assert!(matches!(error, ProviderError::WrongKey { .. }), "{error:?}");
    assert!(error.to_string().contains("too old"), "{error}");
    let before = keys.files();
    // Another key of the same Vault.
    vault.operator("POST", "transit/keys/other", "{}").await;
    let other = VaultSettings { key: "other".to_owned(), ..vault.settings() };
    let error = refused(open(&keys, &KeyProviderChoice::Vault(other)).await);
    assert!(matches!(error, ProviderError::WrongKey { .. }), "{error:?}");
    assert_eq!(keys.files(), before);
}

#[tokio::test]
async fn a_wrong_token_a_missing_key_a_sealed_vault_and_none_at_all_are_told_apart() {
    let mut vault = Vault::start().await;
    let keys = Keys::none();
    open(&keys, &vault.choice()).await.unwrap();
    let token = vault.directory.path().join("token");
    fs::write(&token, "hvs.an0ther").unwrap();
    let error = refused(open(&keys, &vault.choice()).await);
    assert!(matches!(error, ProviderError::Forbidden { .. }), "{error:?}");
    assert!(!error.to_string().contains("an0ther"), "{error}");
    fs::write(&token, TOKEN).unwrap();

    for (key, mount, namespace) in
        [("nobody", "transit", None), ("kek", "elsewhere", None), ("kek", "transit", Some("team"))]
    {
        let settings = VaultSettings {
            key: key.to_owned(),
            mount: mount.to_owned(),
            namespace: namespace.map(str::to_owned),
            ..vault.settings()
        };
        let error = refused(open(&keys, &KeyProviderChoice::Vault(settings)).await);
        assert!(matches!(error, ProviderError::WrongKey { .. }), "{key} {mount}: {error:?}");
    }

    vault.operator("PUT", "sys/seal", "").await;
    let error = refused(open(&keys, &vault.choice()).await);
    assert!(
        matches!(&error, ProviderError::Away { what, .. } if what.contains("sealed")),
        "{error:?}"
    );
    vault.server.kill().await;
    let error = refused(open(&keys, &vault.choice()).await);
    assert!(matches!(error, ProviderError::Away { .. }), "{error:?}");
    // Nothing is made at a first start that cannot be completed.
    let none = Keys::none();
    refused(open(&none, &vault.choice()).await);
    assert!(none.files().is_empty());
}

#[tokio::test]
async fn once_opened_users_are_served_while_vault_is_away_and_a_rotation_is_not_begun() {
    let mut vault = Vault::start().await;
    let keys = Keys::none();
    let opened = open(&keys, &vault.choice()).await.unwrap();
    vault.server.kill().await;
    let sealed = opened.vault().seal(&keys.acme, ALICE, FIELD, b"seed").await.unwrap();
    opened.vault().unseal(&keys.acme, ALICE, FIELD, &sealed).await.unwrap();
    let before = keys.files();
    let rotation = opened.rotation();
    for outcome in [
        rotation.begin_kek_rotation().await.map(drop),
        rotation.rewrap_ring().await,
        rotation.move_ring(&vault.choice()).await,
    ] {
        let text = outcome.unwrap_err().to_string();
        assert!(text.starts_with("vault is away"), "{text}");
    }
    assert_eq!((keys.files(), rotation.versions()), (before, vec![1]));
}

#[tokio::test]
async fn replicas_that_share_keys_ask_vault_when_the_ring_changes_and_only_then() {
    let mut vault = Vault::start().await;
    let world = World::none().await;
    let (choice, directory) = (vault.choice(), world.directory());
    let acme = world.keys.acme.clone();
    let clock = || Arc::new(MovableClock::default()) as _;
    let rng = || world.keys.rng();
    let one = SharedKeys::create_with(&directory, &world.nats, &choice, rng(), clock()).await;
    let one = one.unwrap();
    let nats = world.server.connect().await;
    let other = SharedKeys::open_with(&directory, &nats, &choice, rng(), clock()).await.unwrap();
    let sealed = one.vault().seal(&acme, ALICE, FIELD, b"seed").await.unwrap();
    one.rotation().begin_kek_rotation().await.unwrap();
    one.rotation().run(|| false).await.unwrap();
    let seed = other.vault().unseal(&acme, ALICE, FIELD, &sealed).await.unwrap();
    assert_eq!(seed.expose(), b"seed");
    soon(async || other.rotation().wrapping() == 2).await;
    vault.server.kill().await;
    let bob = UserKey::new([2; 16]);
    let sealed = other.vault().seal(&acme, bob, FIELD, b"seed").await.unwrap();
    assert_eq!(one.vault().unseal(&acme, bob, FIELD, &sealed).await.unwrap().expose(), b"seed");
}
