//! What Vault may answer, and what we ask it. Against something that behaves like Vault: `tests/keys/providers`.

use tempfile::TempDir;

use super::{
    super::tests::{answering, nobody},
    *,
};

const TOKEN: &str = "hvs.s3cr3t-t0ken";

fn transit(address: &str) -> (TempDir, Transit) {
    let directory = tempfile::tempdir().unwrap();
    let token_file = directory.path().join("token");
    fs::write(&token_file, format!("{TOKEN}\n")).unwrap();
    let settings = VaultSettings {
        address: address.to_owned(),
        key: "kek".to_owned(),
        mount: "infra/transit".to_owned(),
        namespace: Some("team-a".to_owned()),
        token_file,
        ca_file: None,
    };
    (directory, Transit::new(&settings).unwrap())
}

/// Lets Vault answer, and returns what wrapping came to and what was asked.
async fn wrapped(status: &str, body: &str) -> (Result<Vec<u8>, ProviderError>, String) {
    let (url, served) = answering(status, body).await;
    let (_directory, transit) = transit(&url);
    let outcome = transit.wrap(1, &SecretBytes::new(vec![0xAB; 32])).await;
    if let Err(error) = &outcome {
        let told = format!("{error} {error:?} {transit:?}");
        assert!(!told.contains(TOKEN) && !told.contains("q6ur"), "{told}");
    }
    (outcome.map(|wrapped| wrapped.to_vec()), served.await.unwrap())
}

async fn unwrapped(status: &str, body: &str) -> Result<SecretBytes, ProviderError> {
    let (url, _served) = answering(status, body).await;
    transit(&url).1.unwrap(1, b"vault:v1:AAAA").await
}

#[tokio::test]
async fn a_key_is_sent_with_the_token_the_namespace_and_nothing_else() {
    let (outcome, asked) = wrapped("200 OK", r#"{"data":{"ciphertext":"vault:v3:xyz"}}"#).await;
    assert_eq!(outcome.unwrap(), b"vault:v3:xyz");
    let (head, body) = asked.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /v1/infra/transit/encrypt/kek HTTP/1.1\r\n"), "{head}");
    for header in
        ["x-vault-token: hvs.s3cr3t-t0ken", "x-vault-namespace: team-a", "x-vault-request: true"]
    {
        assert!(head.contains(header), "{head}");
    }
    assert_eq!(body, format!(r#"{{"plaintext":"{}"}}"#, BASE64.encode(&[0xAB; 32])));
}

#[tokio::test]
async fn what_vault_refuses_is_told_from_what_it_cannot() {
    let (outcome, _) = wrapped("403 Forbidden", r#"{"errors":["permission denied"]}"#).await;
    let error = outcome.unwrap_err();
    assert!(matches!(error, ProviderError::Forbidden { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("permission denied") && text.contains("token_file"), "{text}");
    for status in [
        "503 Service Unavailable",
        "500 Internal Server Error",
        "429 Too Many Requests",
        "473 Standby",
    ] {
        let (outcome, _) = wrapped(status, r#"{"errors":["Vault is sealed"]}"#).await;
        let error = outcome.unwrap_err();
        assert!(matches!(error, ProviderError::Away { .. }), "{error:?}");
        assert!(error.to_string().contains("Vault is sealed"), "{error}");
    }
    let (_directory, transit) = transit(&nobody().await);
    let error = transit.unwrap(1, b"vault:v1:AAAA").await.unwrap_err();
    assert!(matches!(error, ProviderError::Away { .. }), "{error:?}");
}

#[tokio::test]
async fn what_another_key_wrapped_is_told_so() {
    for body in ["invalid ciphertext: no prefix", "cipher: message authentication failed"] {
        let error = unwrapped("400 Bad Request", &format!(r#"{{"errors":["{body}"]}}"#)).await;
        let error = error.unwrap_err();
        assert!(matches!(error, ProviderError::WrongKey { .. }), "{error:?}");
        assert!(error.to_string().contains(body), "{error}");
    }
    let (_directory, transit) = transit(&nobody().await);
    let error = transit.unwrap(1, &[0xFF; 32]).await.unwrap_err();
    assert!(matches!(error, ProviderError::WrongKey { .. }), "{error:?}");
}

#[tokio::test]
async fn nonsense_is_refused_and_not_repeated() {
    let long = format!(r#"{{"data":{{"plaintext":"{}"}}}}"#, "A".repeat(300_000));
    for (status, body) in [
        ("200 OK", "secret nonsense"),
        ("200 OK", ""),
        ("200 OK", r#"{"data":{}}"#),
        ("200 OK", r#"{"data":{"plaintext":"no base 64 secret"}}"#),
        ("200 OK", r#"{"data":{"plaintext":7}}"#),
        ("200 OK", &long),
        ("302 Found", ""),
        ("204 No Content", ""),
        ("418 Teapot", "secret"),
    ] {
        let error = unwrapped(status, body).await.unwrap_err();
        assert!(matches!(error, ProviderError::Malformed { .. }), "{status}: {error:?}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    let (outcome, _) = wrapped("200 OK", r#"{"data":{"ciphertext":"aws:1"}}"#).await;
    assert!(matches!(outcome, Err(ProviderError::Malformed { .. })), "{outcome:?}");
}

#[tokio::test]
async fn a_token_that_is_sent_back_is_not_told() {
    let body = format!(r#"{{"errors":["bad token {TOKEN}"]}}"#);
    let (outcome, _) = wrapped("403 Forbidden", &body).await;
    assert!(matches!(outcome, Err(ProviderError::Forbidden { .. })), "{outcome:?}");
}

#[tokio::test]
async fn a_token_that_is_not_there_is_named_by_its_file() {
    let (directory, transit) = transit("http://127.0.0.1:1");
    let path = directory.path().join("token");
    for content in ["", " \n", "a\u{1}b"] {
        fs::write(&path, content).unwrap();
        let error = transit.unwrap(1, b"vault:v1:AAAA").await.unwrap_err();
        assert!(error.to_string().starts_with("keys.vault.token_file: "), "{error}");
    }
    fs::remove_file(&path).unwrap();
    let error = transit.unwrap(1, b"vault:v1:AAAA").await.unwrap_err();
    assert!(error.to_string().contains("token: No such file"), "{error}");
}

#[test]
fn settings_that_would_lead_elsewhere_are_refused() {
    let settings = |mount: &str, key: &str| VaultSettings {
        address: "https://vault.example.com".to_owned(),
        key: key.to_owned(),
        mount: mount.to_owned(),
        namespace: None,
        token_file: PathBuf::from("/token"),
        ca_file: None,
    };
    assert!(Transit::new(&settings("infra/transit", "kek-1_a.b")).is_ok());
    for (mount, key, field) in [
        ("", "kek", "keys.vault.mount"),
        ("/transit", "kek", "keys.vault.mount"),
        ("../sys", "kek", "keys.vault.mount"),
        ("transit", "", "keys.vault.key"),
        ("transit", "a/../b", "keys.vault.key"),
        ("transit", "..", "keys.vault.key"),
        ("transit", "kek?x", "keys.vault.key"),
    ] {
        let error = Transit::new(&settings(mount, key)).unwrap_err().to_string();
        assert!(error.starts_with(field), "{error}");
    }
    let missing = VaultSettings { ca_file: Some("/nowhere".into()), ..settings("transit", "kek") };
    let error = Transit::new(&missing).unwrap_err().to_string();
    assert!(error.starts_with("keys.vault.ca_file: "), "{error}");
}
