//! Statements are checked with the published keys before, while and after the key that signs them is rotated.

use std::time::Duration;

use countersign_proto::{
    challenge::GetAssertionKeysRequest,
    keys::{AssertionAlgorithm, Keyring, RotateAssertionKeyRequest},
};
use countersign_tests::{House, Phone, Tenant, reason};
use data_encoding::BASE64URL_NOPAD;
use ring::signature::{ECDSA_P256_SHA256_FIXED, ED25519, UnparsedPublicKey};
use serde_json::Value;
use tonic::Status;

use crate::keyring;

const HOUR: Duration = Duration::from_secs(3_600);

async fn rotate(
    house: &House,
    newest_kid: &str,
    algorithm: AssertionAlgorithm,
    overlap: Duration,
) -> Result<Keyring, Status> {
    let request = RotateAssertionKeyRequest {
        newest_kid: newest_kid.to_owned(),
        algorithm: algorithm.into(),
        overlap: Some(overlap.try_into().unwrap()),
        ..Default::default()
    };
    let answer = house.operator().keys().rotate_assertion_key(request).await?;
    Ok(answer.into_inner().keyring.unwrap())
}

/// Returns the published keys, as a resource server fetches them.
async fn published(tenant: &Tenant) -> Vec<Value> {
    let answer = tenant.platform.challenge().get_assertion_keys(GetAssertionKeysRequest {}).await;
    let set: Value = serde_json::from_str(&answer.unwrap().into_inner().jwks).unwrap();
    set["keys"].as_array().unwrap().clone()
}

/// Has `ann` prove herself, and returns the statement.
async fn statement(house: &House, tenant: &Tenant, phone: &Phone) -> String {
    house.clock.advance(Duration::from_secs(30));
    let challenge = tenant.challenge("ann").await;
    tenant.verified("ann", &challenge, &phone.code(tenant.now())).await.assertion
}

fn decoded(text: &str) -> Vec<u8> {
    BASE64URL_NOPAD.decode(text.as_bytes()).unwrap()
}

/// Returns the algorithm of a statement that one of `keys` checks; `None` if none does.
fn checked(keys: &[Value], statement: &str) -> Option<String> {
    let (signed, signature) = statement.rsplit_once('.').unwrap();
    let header: Value =
        serde_json::from_slice(&decoded(signed.split_once('.').unwrap().0)).unwrap();
    let key = keys.iter().find(|key| key["kid"] == header["kid"])?;
    assert_eq!(key["alg"], header["alg"]);
    let part = |name: &str| decoded(key[name].as_str().unwrap());
    let (signed, signature) = (signed.as_bytes(), decoded(signature));
    let is_good = match header["alg"].as_str().unwrap() {
        "ES256" => UnparsedPublicKey::new(
            &ECDSA_P256_SHA256_FIXED,
            [vec![4], part("x"), part("y")].concat(),
        )
        .verify(signed, &signature),
        "EdDSA" => UnparsedPublicKey::new(&ED25519, part("x")).verify(signed, &signature),
        other => panic!("{other}"),
    };
    is_good.ok().map(|()| header["alg"].as_str().unwrap().to_owned())
}

fn alg(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_from_before_and_after_a_rotation_to_eddsa_are_checked_with_the_published_keys()
{
    let house = House::single().await;
    let tenant = house.tenant("acme").await;
    let phone = tenant.enrol("ann").await;
    let cached = published(&tenant).await;
    let first = keyring(&house.operator()).await.assertion_keys;
    assert!(first.len() == 1 && first[0].signs && first[0].signs_from.is_none());
    let rotated = rotate(&house, &first[0].kid, AssertionAlgorithm::EdDsa, HOUR).await.unwrap();
    let [old, new] = rotated.assertion_keys.as_slice() else { panic!("{rotated:?}") };
    assert!(old.signs && !new.signs && new.published_until.is_none());
    let (from, until) =
        (new.signs_from.as_ref().unwrap().seconds, old.published_until.as_ref().unwrap().seconds);
    assert_eq!((from - house.now().unix_seconds(), until - from), (3_600, 300));

    // Both are published, and the old one signs: also for who keeps the keys from before.
    let keys = published(&tenant).await;
    assert_eq!(keys.len(), 2);
    let before = statement(&house, &tenant, &phone).await;
    assert_eq!(checked(&keys, &before), alg("ES256"));
    assert_eq!(checked(&cached, &before), alg("ES256"));

    // An hour later the new one signs, and what the old one signed is still checked.
    house.clock.advance(HOUR);
    let after = statement(&house, &tenant, &phone).await;
    assert_eq!(checked(&keys, &after), alg("EdDSA"));
    assert_eq!(checked(&cached, &after), None);
    assert_eq!(published(&tenant).await, keys);

    // Once its last statement has expired the old one is published no longer, also after a start.
    house.clock.advance(Duration::from_secs(300));
    assert_eq!(published(&tenant).await, keys[1..]);
    let house = house.restart().await;
    let tenant = tenant.over(&house.channel());
    assert_eq!(published(&tenant).await, keys[1..]);
    let late = statement(&house, &tenant, &phone).await;
    assert_eq!(checked(&keys[1..], &late), alg("EdDSA"));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_leak_the_new_key_signs_at_once() {
    let house = House::single().await;
    let tenant = house.tenant("acme").await;
    let phone = tenant.enrol("ann").await;
    rotate(&house, "", AssertionAlgorithm::Es256, Duration::ZERO).await.unwrap();
    let statement = statement(&house, &tenant, &phone).await;
    let keys = published(&tenant).await;
    assert_eq!(checked(&keys[..1], &statement), None);
    assert_eq!(checked(&keys[1..], &statement), alg("ES256"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_request_draws_one_key_and_a_late_one_none() {
    let house = House::single().await;
    let first = keyring(&house.operator()).await.assertion_keys[0].kid.clone();
    let es256 = AssertionAlgorithm::Es256;
    let rotated = rotate(&house, &first, es256, HOUR).await.unwrap();
    assert_eq!(rotate(&house, &first, es256, HOUR).await.unwrap(), rotated);
    let second = rotated.assertion_keys[1].kid.clone();
    rotate(&house, &second, es256, 2 * HOUR).await.unwrap();
    for (kid, algorithm) in [(first.as_str(), es256), ("nobody", es256)] {
        let status = rotate(&house, kid, algorithm, HOUR).await.unwrap_err();
        assert_eq!(reason(&status), "KEYRING_CHANGED");
    }
    let status = rotate(&house, &second, AssertionAlgorithm::EdDsa, HOUR).await.unwrap_err();
    assert_eq!(reason(&status), "KEYRING_CHANGED");
    assert_eq!(keyring(&house.operator()).await.assertion_keys.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_so_many_keys_are_published_and_then_the_next_is_refused() {
    let house = House::single().await;
    let mut drawn = 1;
    let refused = loop {
        match rotate(&house, "", AssertionAlgorithm::EdDsa, HOUR).await {
            Ok(keyring) => {
                drawn += 1;
                assert_eq!(keyring.assertion_keys.len(), drawn);
            }
            Err(status) if reason(&status) == "KEYS_BUSY" => {}
            Err(status) => break status,
        }
    };
    assert_eq!((reason(&refused).as_str(), drawn), ("ROTATION_REFUSED", 16));
}
