//! The signed statement of a proof, checked as a resource server would: with nothing but the published keys.

use std::time::Duration;

use countersign_proto::challenge::{
    CancelChallengeRequest, Challenge, CreateChallengeRequest, GetAssertionKeysRequest,
    GetAssertionKeysResponse, VerifyChallengeRequest,
};
use countersign_tests::{House, Tenant, reason};
use data_encoding::BASE64URL_NOPAD;
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde_json::{Value, json};

async fn keys(tenant: &Tenant) -> GetAssertionKeysResponse {
    let response = tenant.platform.challenge().get_assertion_keys(GetAssertionKeysRequest {}).await;
    response.unwrap().into_inner()
}

fn decoded(part: &str) -> Vec<u8> {
    BASE64URL_NOPAD.decode(part.as_bytes()).unwrap()
}

/// The parts of a JWS in compact form (RFC 7515 section 7.1).
struct Jws {
    header: Value,
    claims: Value,
    signed: String,
    signature: Vec<u8>,
}

impl Jws {
    fn read(token: &str) -> Self {
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let (header, claims) = signed.split_once('.').unwrap();
        Self {
            header: serde_json::from_slice(&decoded(header)).unwrap(),
            claims: serde_json::from_slice(&decoded(claims)).unwrap(),
            signed: signed.to_owned(),
            signature: decoded(signature),
        }
    }

    /// Looks the key up by its id, and checks the signature over `signed`.
    fn is_signed(&self, jwks: &str, signed: &str) -> bool {
        let set: Value = serde_json::from_str(jwks).unwrap();
        let keys = set.get("keys").unwrap().as_array().unwrap();
        let key = keys.iter().find(|key| key.get("kid") == self.header.get("kid")).unwrap();
        assert_eq!((key.get("kty"), key.get("crv")), (Some(&json!("EC")), Some(&json!("P-256"))));
        let coordinate = |name| decoded(key.get(name).unwrap().as_str().unwrap());
        let point = [vec![4], coordinate("x"), coordinate("y")].concat();
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
        key.verify(signed.as_bytes(), &self.signature).is_ok()
    }
}

/// Enrols `ann` and lets her answer a challenge of `application`.
async fn assertion(house: &House, tenant: &Tenant, application: &str) -> (Challenge, String) {
    let phone = tenant.enrol("ann").await;
    house.clock.advance(Duration::from_secs(30));
    let request = CreateChallengeRequest {
        user_id: "ann".to_owned(),
        application_id: application.to_owned(),
        authenticator_id: phone.authenticator_id.clone(),
        ..Default::default()
    };
    let created = tenant.platform.challenge().create_challenge(request).await.unwrap();
    let challenge = created.into_inner().challenge.unwrap();
    let verified = tenant.verified("ann", &challenge, &phone.code(tenant.now())).await;
    (challenge, verified.assertion)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_assertion_says_what_was_proved_and_is_checked_with_the_published_keys() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    let (challenge, token) = assertion(&house, &tenant, "vpn").await;
    let keys = keys(&tenant).await;
    let jws = Jws::read(&token);
    assert_eq!(jws.header.get("alg"), Some(&json!("ES256")));
    assert_eq!(jws.header.get("typ"), Some(&json!("JWT")));
    assert!(jws.is_signed(&keys.jwks, &jws.signed));
    let now = house.now().unix_seconds();
    let expected = json!({
        "iss": keys.issuer,
        "sub": "ann",
        "aud": "vpn",
        "jti": challenge.challenge_id,
        "iat": now,
        "exp": now + 300,
        "auth_time": now,
        "acr": "urn:countersign:acr:aal2",
        "amr": ["otp"],
    });
    assert_eq!(jws.claims, expected);
    assert_eq!(keys.issuer, "https://mfa.example.com/acme");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_assertion_that_was_changed_does_not_check() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    let (_, token) = assertion(&house, &tenant, "vpn").await;
    let jwks = keys(&tenant).await.jwks;
    let jws = Jws::read(&token);
    let mut claims = jws.claims.clone();
    *claims.get_mut("sub").unwrap() = json!("bob");
    let (header, _) = jws.signed.split_once('.').unwrap();
    let changed = format!("{header}.{}", BASE64URL_NOPAD.encode(claims.to_string().as_bytes()));
    assert!(jws.is_signed(&jwks, &jws.signed));
    assert!(!jws.is_signed(&jwks, &changed));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_application_an_assertion_is_for_no_audience() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    let (_, token) = assertion(&house, &tenant, "").await;
    assert_eq!(Jws::read(&token).claims.get("aud"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_that_comes_too_late_gets_no_assertion_rather_than_one_for_any_audience() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    let phone = tenant.enrol("ann").await;
    house.clock.advance(Duration::from_secs(30));
    let challenge = tenant.challenge("ann").await;
    let verify = VerifyChallengeRequest {
        request_id: "verify".to_owned(),
        user_id: "ann".to_owned(),
        challenge_id: challenge.challenge_id,
        code: phone.code(tenant.now()),
        with_assertion: true,
        ..Default::default()
    };
    let mut service = tenant.platform.challenge();
    let verified = service.verify_challenge(verify.clone()).await.unwrap().into_inner();
    assert_eq!(Jws::read(&verified.assertion).claims.get("aud"), Some(&json!("vpn")));
    for _ in 0..20 {
        let other = tenant.challenge("ann").await;
        let cancel = CancelChallengeRequest {
            user_id: "ann".to_owned(),
            challenge_id: other.challenge_id,
            ..Default::default()
        };
        service.cancel_challenge(cancel).await.unwrap();
    }
    let late = service.verify_challenge(verify).await.unwrap_err();
    assert_eq!(reason(&late), "CHALLENGE_NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_assertion_can_still_be_checked_after_a_restart() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    let (_, token) = assertion(&house, &tenant, "vpn").await;
    let house = house.restart().await;
    let tenant = tenant.over(&house.channel());
    let jws = Jws::read(&token);
    assert!(jws.is_signed(&keys(&tenant).await.jwks, &jws.signed));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_assertion_is_signed_only_if_it_was_asked_for() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    let phone = tenant.enrol("ann").await;
    house.clock.advance(Duration::from_secs(30));
    let verify = VerifyChallengeRequest {
        user_id: "ann".to_owned(),
        challenge_id: tenant.challenge("ann").await.challenge_id,
        code: phone.code(tenant.now()),
        ..Default::default()
    };
    let response = tenant.platform.challenge().verify_challenge(verify).await;
    let verified = response.unwrap().into_inner();
    assert!(verified.proof.is_some());
    assert_eq!(verified.assertion, "");
}
