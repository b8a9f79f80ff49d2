//! Rotating the keys that sign statements: nobody who checks a good statement lacks the key for it.

use std::{sync::Arc, time::Duration};

use countersign_core::Clock as _;
use countersign_keys::{
    AssertionAlgorithm, AssertionKeys, AssertionRotation, KeyProviderChoice, LocalKeys,
    RotationError,
};
use countersign_testkit::MovableClock;
use data_encoding::BASE64URL_NOPAD;
use ring::signature::{ECDSA_P256_SHA256_FIXED, ED25519, UnparsedPublicKey, VerificationAlgorithm};

use crate::{
    providers::{script, tool},
    support::Keys,
};

const HOUR: Duration = Duration::from_secs(3_600);
const MINUTE: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);

const WANTED: AssertionRotation = AssertionRotation {
    algorithm: AssertionAlgorithm::EdDsa,
    overlap: HOUR,
    statements_live: MINUTE,
};

async fn open(keys: &Keys, clock: &Arc<MovableClock>) -> LocalKeys {
    let clock = Arc::clone(clock) as _;
    let directory = keys.directory();
    LocalKeys::open_with(&directory, &KeyProviderChoice::Local, keys.rng(), clock).await.unwrap()
}

/// Returns the ids of the keys that are published.
fn published(keys: &AssertionKeys) -> Vec<String> {
    let set: serde_json::Value = serde_json::from_str(&keys.jwks()).unwrap();
    let keys = set["keys"].as_array().unwrap();
    keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

fn signing(keys: &AssertionKeys) -> String {
    keys.signing().unwrap().kid().to_owned()
}

/// Checks a signature as a stranger does, with the published keys alone.
fn is_good(jwks: &str, kid: &str, message: &[u8], signature: &[u8]) -> bool {
    let set: serde_json::Value = serde_json::from_str(jwks).unwrap();
    let key = set["keys"].as_array().unwrap().iter().find(|key| key["kid"] == kid);
    let Some(key) = key else { return false };
    let member =
        |name: &str| BASE64URL_NOPAD.decode(key[name].as_str().unwrap().as_bytes()).unwrap();
    let (algorithm, public): (&'static dyn VerificationAlgorithm, _) = match key["kty"].as_str() {
        Some("EC") => (&ECDSA_P256_SHA256_FIXED, [vec![4], member("x"), member("y")].concat()),
        Some("OKP") => (&ED25519, member("x")),
        other => panic!("{other:?}"),
    };
    UnparsedPublicKey::new(algorithm, public).verify(message, signature).is_ok()
}

#[tokio::test]
async fn a_new_key_is_published_first_signs_then_and_the_old_one_goes_when_its_statements_have() {
    let (keys, clock) = (Keys::none(), Arc::new(MovableClock::default()));
    let opened = open(&keys, &clock).await;
    let handle = opened.assertion_keys();
    let old = signing(&handle);
    let new = opened.rotation().rotate_assertion_key(WANTED).await.unwrap();
    assert_ne!(new, old);
    // The same after a start.
    for handle in [handle.clone(), open(&keys, &clock).await.assertion_keys()] {
        assert_eq!(
            (signing(&handle), published(&handle)),
            (old.clone(), vec![old.clone(), new.clone()])
        );
    }
    clock.advance(HOUR - SECOND);
    assert_eq!(signing(&handle), old);
    clock.advance(SECOND);
    // What the old one signed a moment ago can be checked until it has expired.
    for handle in [handle.clone(), open(&keys, &clock).await.assertion_keys()] {
        assert_eq!(
            (signing(&handle), published(&handle)),
            (new.clone(), vec![old.clone(), new.clone()])
        );
    }
    clock.advance(MINUTE - SECOND);
    assert_eq!(published(&handle).len(), 2);
    assert_eq!(opened.rotation().remove_expired_assertion_keys().await.unwrap(), 0);
    clock.advance(SECOND);
    for handle in [handle.clone(), open(&keys, &clock).await.assertion_keys()] {
        assert_eq!((signing(&handle), published(&handle)), (new.clone(), vec![new.clone()]));
    }
    let length = keys.files()["assertion-keys"].len();
    assert_eq!(opened.rotation().remove_expired_assertion_keys().await.unwrap(), 1);
    assert!(keys.files()["assertion-keys"].len() < length);
    assert_eq!(signing(&open(&keys, &clock).await.assertion_keys()), new);
}

#[tokio::test]
async fn at_every_moment_what_was_signed_can_be_checked_with_what_was_published_an_overlap_ago() {
    let (keys, clock) = (Keys::none(), Arc::new(MovableClock::default()));
    let opened = open(&keys, &clock).await;
    let handle = opened.assertion_keys();
    // Somebody keeps what was published for as long as the overlap is; statements are good for a minute.
    let mut kept = vec![(clock.now(), handle.jwks())];
    let mut statements = Vec::new();
    for minute in 0..600_u32 {
        if minute % 150 == 10 {
            let algorithm = match minute % 4 {
                0 => AssertionAlgorithm::Es256,
                _ => AssertionAlgorithm::EdDsa,
            };
            let wanted = AssertionRotation { algorithm, ..WANTED };
            opened.rotation().rotate_assertion_key(wanted).await.unwrap();
        }
        let key = handle.signing().unwrap();
        let message = minute.to_le_bytes();
        statements.push((clock.now(), key.kid().to_owned(), message, key.sign(&message).unwrap()));
        clock.advance(MINUTE / 2);
        let now = clock.now();
        kept.push((now, handle.jwks()));
        kept.retain(|(at, _)| now.since(*at) < HOUR);
        statements.retain(|(at, ..)| now.since(*at) < MINUTE);
        for (_, kid, message, signature) in &statements {
            for (at, jwks) in &kept {
                assert!(is_good(jwks, kid, message, signature), "minute {minute}, kept since {at}");
            }
        }
    }
    assert!(published(&handle).len() <= 2);
}

#[tokio::test]
async fn in_an_emergency_the_new_key_signs_at_once_and_the_latest_word_counts() {
    let (keys, clock) = (Keys::none(), Arc::new(MovableClock::default()));
    let opened = open(&keys, &clock).await;
    let (handle, rotation) = (opened.assertion_keys(), opened.rotation());
    let later = rotation.rotate_assertion_key(WANTED).await.unwrap();
    let at_once = AssertionRotation { overlap: Duration::ZERO, ..WANTED };
    let now = rotation.rotate_assertion_key(at_once).await.unwrap();
    assert_eq!(signing(&handle), now);
    // The one that was to sign later would take over from it.
    assert!(!published(&handle).contains(&later));
    clock.advance(HOUR * 2);
    assert_eq!((signing(&handle), published(&handle)), (now.clone(), vec![now]));
}

#[tokio::test]
async fn a_clock_that_is_put_back_leaves_a_key_that_signs_and_is_published() {
    let (keys, clock) = (Keys::none(), Arc::new(MovableClock::default()));
    let opened = open(&keys, &clock).await;
    let before = clock.now();
    opened.rotation().rotate_assertion_key(WANTED).await.unwrap();
    clock.advance(HOUR * 3);
    opened.rotation().remove_expired_assertion_keys().await.unwrap();
    clock.set(before);
    let handle = open(&keys, &clock).await.assertion_keys();
    assert_eq!(published(&handle), [signing(&handle)]);
}

#[tokio::test]
async fn signing_keys_survive_the_rotation_of_what_wraps_them() {
    let (keys, clock) = (Keys::none(), Arc::new(MovableClock::default()));
    let opened = open(&keys, &clock).await;
    let rotation = opened.rotation();
    rotation.rotate_assertion_key(WANTED).await.unwrap();
    let before = published(&opened.assertion_keys());
    rotation.begin_kek_rotation().await.unwrap();
    rotation.run(|| false).await.unwrap();
    rotation.retire().await.unwrap();
    assert_eq!(published(&open(&keys, &clock).await.assertion_keys()), before);
}

#[tokio::test]
async fn so_many_keys_are_published_and_no_more() {
    let (keys, clock) = (Keys::none(), Arc::new(MovableClock::default()));
    let opened = open(&keys, &clock).await;
    for count in 2..=16 {
        opened.rotation().rotate_assertion_key(WANTED).await.unwrap();
        assert_eq!(published(&opened.assertion_keys()).len(), count);
    }
    let before = keys.files();
    let refused = opened.rotation().rotate_assertion_key(WANTED).await.unwrap_err();
    assert!(matches!(refused, RotationError::TooManySigning { most: 16 }), "{refused:?}");
    assert_eq!(keys.files(), before);
    clock.advance(HOUR * 2);
    opened.rotation().rotate_assertion_key(WANTED).await.unwrap();
    assert_eq!(published(&opened.assertion_keys()).len(), 2);
}

#[tokio::test]
async fn statements_of_both_algorithms_are_checked_by_other_peoples_client() {
    let (keys, clock) = (Keys::none(), Arc::new(MovableClock::default()));
    let opened = open(&keys, &clock).await;
    let handle = opened.assertion_keys();
    let mut asked = Vec::new();
    for _ in 0..2 {
        let key = handle.signing().unwrap();
        let header =
            format!(r#"{{"alg":"{}","kid":"{}","typ":"JWT"}}"#, key.algorithm(), key.kid());
        let parts =
            [header.as_bytes(), br#"{"sub":"alice"}"#].map(|part| BASE64URL_NOPAD.encode(part));
        let message = parts.join(".");
        let signature = BASE64URL_NOPAD.encode(&key.sign(message.as_bytes()).unwrap());
        asked.push(format!("{message}.{signature}"));
        let at_once = AssertionRotation { overlap: Duration::ZERO, ..WANTED };
        opened.rotation().rotate_assertion_key(at_once).await.unwrap();
    }
    let checked = tokio::process::Command::new(tool("python"))
        .arg(script("check_statements.py"))
        .arg(handle.jwks())
        .args(asked)
        .output()
        .await
        .unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    assert_eq!(checked.stdout, b"ES256 alice\nEdDSA alice\n");
}
