//! Forged tokens (RFC 8725 section 2), each refused for its own reason.

use countersign_identity::{IssuerSettings, Issuers, TokenError};
use ring::hmac;
use serde_json::{Value, json};

use crate::{
    server::KeyServer,
    signing::{Signer, encode},
    world::{AUDIENCE, World, settings},
};

/// Signs with a shared secret, which is no secret here.
fn hmac_token(secret: &[u8], header: &Value, claims: &Value) -> String {
    let signed = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    format!("{signed}.{}", encode(hmac::sign(&key, signed.as_bytes())))
}

#[tokio::test]
async fn a_right_token_of_every_usual_algorithm_is_accepted() {
    let signers = [Signer::rsa("r"), Signer::p256("e"), Signer::ed25519("d")];
    let world = World::of(&signers.each_ref()).await;
    let claims = world.claims_with(&json!({"aud": ["other", AUDIENCE], "roles": ["verifier"]}));
    let mut tokens = signers.each_ref().map(|signer| signer.token(&claims)).to_vec();
    tokens.push(signers[0].token_with(&json!({"alg": "PS256"}), &claims));
    tokens.push(signers[2].token_with(&json!({"alg": "Ed25519"}), &claims));
    for token in tokens {
        let verified = world.verify(&token).await.unwrap();
        assert_eq!((&*verified.issuer_name, &*verified.subject), ("login", "platform"));
        assert_eq!(verified.issuer, world.server.issuer());
        assert_eq!(verified.audiences, ["other", AUDIENCE]);
        assert_eq!(Value::Object(verified.claims), claims);
        assert_eq!(json!(verified.expires_at.unix_seconds()), claims["exp"]);
    }
    assert_eq!(world.server.times_asked(), 1);
}

#[tokio::test]
async fn a_public_key_is_no_shared_secret() {
    let signer = Signer::rsa("r");
    let world = World::of(&[&signer]).await;
    let jwk = signer.jwk();
    for secret in [jwk.to_string(), jwk["n"].as_str().unwrap().to_owned(), String::new()] {
        for alg in ["HS256", "hs256", "HS512"] {
            let header = json!({"alg": alg, "kid": "r"});
            let token = hmac_token(secret.as_bytes(), &header, &world.claims());
            assert_eq!(world.error_of(&token).await, TokenError::AlgorithmNotAllowed);
        }
        // The signature of one algorithm under the name of another.
        let token = hmac_token(secret.as_bytes(), &signer.header(), &world.claims());
        assert_eq!(world.error_of(&token).await, TokenError::BadSignature);
    }
}

#[tokio::test]
async fn a_token_that_nobody_signed_is_refused() {
    let signer = Signer::p256("e");
    let world = World::of(&[&signer]).await;
    for alg in ["none", "None", "NONE", "nOnE"] {
        let header = json!({"alg": alg, "kid": "e"});
        let unsigned =
            format!("{}.{}.", encode(header.to_string()), encode(world.claims().to_string()));
        assert_eq!(world.error_of(&unsigned).await, TokenError::AlgorithmNotAllowed);
    }
    let token = world.token(&signer);
    let (signed, _) = token.rsplit_once('.').unwrap();
    assert_eq!(world.error_of(&format!("{signed}.")).await, TokenError::BadSignature);
    assert_eq!(world.error_of(signed).await, TokenError::Malformed);
}

#[tokio::test]
async fn a_key_is_used_for_its_own_algorithms_alone() {
    let (rsa, p256) = (Signer::rsa("r"), Signer::p256("e"));
    let world = World::of(&[&rsa, &p256]).await;
    for (signer, alg) in [(&rsa, "ES256"), (&p256, "RS256"), (&p256, "EdDSA"), (&rsa, "EdDSA")] {
        let token = signer.token_with(&json!({"alg": alg}), &world.claims());
        assert_eq!(world.error_of(&token).await, TokenError::AlgorithmNotAllowed, "{alg}");
    }
    let mut set = json!({"keys": [rsa.jwk()]});
    set["keys"][0]["alg"] = json!("RS256");
    world.server.publish_set(&set.to_string());
    world.clock.advance(crate::world::GONE);
    assert!(world.accepts(&rsa).await);
    let other_padding = rsa.token_with(&json!({"alg": "PS256"}), &world.claims());
    assert_eq!(world.error_of(&other_padding).await, TokenError::AlgorithmNotAllowed);
}

#[tokio::test]
async fn an_algorithm_that_the_issuer_may_not_use_is_refused() {
    let signer = Signer::rsa("r");
    let only_pss = |settings: &mut IssuerSettings| {
        settings.algorithms = vec![countersign_identity::Algorithm::Ps256];
    };
    let world = World::with(&[&signer], only_pss).await;
    assert_eq!(world.error_of(&world.token(&signer)).await, TokenError::AlgorithmNotAllowed);
    assert_eq!(world.server.times_asked(), 0);
    let token = signer.token_with(&json!({"alg": "PS256"}), &world.claims());
    assert!(world.verify(&token).await.is_ok());
}

#[tokio::test]
async fn a_key_that_comes_with_the_token_is_not_used() {
    let (signer, stranger) = (Signer::p256("e"), Signer::p256("e"));
    let world = World::of(&[&signer]).await;
    let theirs = KeyServer::start().await;
    theirs.publish(&[&stranger]);
    for header in [
        json!({"jwk": stranger.jwk()}),
        json!({"jku": theirs.jwks_uri()}),
        json!({"x5u": theirs.jwks_uri()}),
        json!({"jku": theirs.jwks_uri(), "jwk": stranger.jwk()}),
    ] {
        let token = stranger.token_with(&header, &world.claims());
        assert_eq!(world.error_of(&token).await, TokenError::BadSignature, "{header}");
    }
    assert_eq!(theirs.times_asked(), 0);
}

#[tokio::test]
async fn an_issuer_cannot_speak_for_another() {
    let (one, other) = (Signer::p256("one"), Signer::p256("other"));
    let (ours, theirs) = (KeyServer::start().await, KeyServer::start().await);
    ours.publish(&[&one]);
    theirs.publish(&[&other]);
    let world = World::of(&[]).await;
    let second = IssuerSettings { name: "second".to_owned(), ..settings(&theirs) };
    let issuers = Issuers::new([settings(&ours), second], world.clock.clone()).unwrap();
    let claims = |iss: &str| world.claims_with(&json!({"iss": iss}));
    assert!(issuers.verify(&one.token(&claims(ours.issuer()))).await.is_ok());
    assert!(issuers.verify(&other.token(&claims(theirs.issuer()))).await.is_ok());
    let forged = other.token(&claims(ours.issuer()));
    assert_eq!(issuers.verify(&forged).await.unwrap_err(), TokenError::UnknownKey);
    let borrowed = other.token_with(&json!({"kid": "one"}), &claims(ours.issuer()));
    assert_eq!(issuers.verify(&borrowed).await.unwrap_err(), TokenError::BadSignature);
}

#[tokio::test]
async fn an_issuer_is_compared_letter_by_letter() {
    let signer = Signer::p256("e");
    let world = World::of(&[&signer]).await;
    let issuer = world.server.issuer();
    for iss in [format!("{issuer}/"), issuer.to_uppercase(), format!(" {issuer}"), String::new()] {
        let token = signer.token(&world.claims_with(&json!({"iss": iss})));
        assert_eq!(world.error_of(&token).await, TokenError::UnknownIssuer, "{iss}");
    }
    for iss in [json!([issuer]), json!(null), json!(1), json!({"a": issuer})] {
        let token = signer.token(&world.claims_with(&json!({"iss": iss})));
        assert_eq!(world.error_of(&token).await, TokenError::BadClaim { claim: "iss" });
    }
    assert_eq!(world.server.times_asked(), 0, "strangers' issuers are nobody's business");
}

#[tokio::test]
async fn a_key_must_be_named_where_there_are_several() {
    let (one, other) = (Signer::p256("one"), Signer::p256("other"));
    let world = World::of(&[&one, &other]).await;
    let unnamed = one.sign(r#"{"alg":"ES256"}"#, &world.claims().to_string());
    assert_eq!(world.error_of(&unnamed).await, TokenError::KeyNotNamed);
    let misnamed = one.token_with(&json!({"kid": "other"}), &world.claims());
    assert_eq!(world.error_of(&misnamed).await, TokenError::BadSignature);
    let alone = World::of(&[&one]).await;
    let unnamed = one.sign(r#"{"alg":"ES256"}"#, &alone.claims().to_string());
    assert!(alone.verify(&unnamed).await.is_ok());
}

#[tokio::test]
async fn odd_names_of_keys_are_names_of_no_key() {
    let signer = Signer::p256("e");
    let world = World::of(&[&signer]).await;
    for kid in ["", "E", "e ", "../../../etc/passwd", "e' OR '1'='1", "e\0", "http://localhost/e"] {
        let token = signer.token_with(&json!({"kid": kid}), &world.claims());
        assert_eq!(world.error_of(&token).await, TokenError::UnknownKey, "{kid}");
    }
}

#[tokio::test]
async fn what_was_signed_for_something_else_is_refused() {
    let signer = Signer::p256("e");
    let world = World::of(&[&signer]).await;
    for (header, problem) in [
        (json!({"typ": "logout+jwt"}), TokenError::WrongType),
        (json!({"typ": "secevent+jwt"}), TokenError::WrongType),
        (json!({"cty": "JWT"}), TokenError::Nested),
        (json!({"crit": ["exp"]}), TokenError::CriticalExtension),
        (json!({"crit": ["b64"], "b64": false}), TokenError::CriticalExtension),
        (json!({"enc": "A256GCM"}), TokenError::Encrypted),
    ] {
        let token = signer.token_with(&header, &world.claims());
        assert_eq!(world.error_of(&token).await, problem, "{header}");
    }
    let token = world.token(&signer);
    assert_eq!(world.error_of(&format!("{token}.a.b")).await, TokenError::Encrypted);
}

#[tokio::test]
async fn a_token_without_its_time_its_audience_or_its_user_is_refused() {
    let signer = Signer::p256("e");
    let world = World::of(&[&signer]).await;
    let now = world.claims()["iat"].as_i64().unwrap();
    for (changes, problem) in [
        (json!({"exp": now - 31}), TokenError::Expired),
        (json!({"exp": null}), TokenError::BadClaim { claim: "exp" }),
        (json!({"nbf": now + 31}), TokenError::NotYetValid),
        (json!({"iat": now + 31}), TokenError::NotYetValid),
        (json!({"aud": "https://other.example.com"}), TokenError::WrongAudience),
        (json!({"aud": format!("{AUDIENCE}/")}), TokenError::WrongAudience),
        (json!({"aud": null}), TokenError::BadClaim { claim: "aud" }),
        (json!({"sub": null}), TokenError::BadClaim { claim: "sub" }),
    ] {
        let token = signer.token(&world.claims_with(&changes));
        assert_eq!(world.error_of(&token).await, problem, "{changes}");
    }
}

#[tokio::test]
async fn a_token_ends_when_the_clock_says_so() {
    let signer = Signer::p256("e");
    let world = World::of(&[&signer]).await;
    let exp = world.claims()["iat"].as_i64().unwrap() + 60;
    let token = signer.token(&world.claims_with(&json!({"exp": exp})));
    assert!(world.verify(&token).await.is_ok());
    world.clock.advance(std::time::Duration::from_secs(89));
    assert!(world.verify(&token).await.is_ok());
    world.clock.advance(std::time::Duration::from_secs(1));
    assert_eq!(world.error_of(&token).await, TokenError::Expired);
}

#[tokio::test]
async fn signed_claims_that_two_readers_read_differently_are_refused() {
    let signer = Signer::p256("e");
    let world = World::of(&[&signer]).await;
    let claims = world.claims().to_string();
    let twice = claims.replace("\"sub\":", "\"sub\":\"admin\",\"sub\":");
    let escaped = claims.replace("\"sub\":", "\"s\\u0075b\":\"admin\",\"sub\":");
    let deep =
        claims.replace("\"sub\":", &format!("\"a\":{}{},\"sub\":", "[".repeat(20), "]".repeat(20)));
    for text in [twice, escaped, deep, format!("{claims}{claims}"), format!("[{claims}]")] {
        let token = signer.sign(&signer.header().to_string(), &text);
        assert_eq!(world.error_of(&token).await, TokenError::Malformed, "{text}");
    }
    let header = signer.header().to_string().replace("\"alg\":", "\"alg\":\"none\",\"alg\":");
    assert_eq!(world.error_of(&signer.sign(&header, &claims)).await, TokenError::Malformed);
}

#[tokio::test]
async fn a_signed_token_that_is_too_long_is_refused() {
    let signer = Signer::p256("e");
    let world = World::of(&[&signer]).await;
    let padded =
        |length: usize| signer.token(&world.claims_with(&json!({"pad": "a".repeat(length)})));
    assert!(world.verify(&padded(5_000)).await.is_ok());
    assert_eq!(world.error_of(&padded(7_000)).await, TokenError::TooLarge);
    assert_eq!(world.error_of(&padded(1_000_000)).await, TokenError::TooLarge);
}

#[tokio::test]
async fn no_refusal_says_anything_of_the_token() {
    let signer = Signer::p256("e");
    let world = World::of(&[&signer]).await;
    let secret = json!({"kid": "s3cret", "typ": "s3cret", "alg": "s3cret"});
    for changes in secret.as_object().unwrap() {
        let header = json!({changes.0: changes.1});
        let problem = world.error_of(&signer.token_with(&header, &world.claims())).await;
        assert!(!format!("{problem} {problem:?}").contains("s3cret"), "{problem:?}");
    }
    for claim in ["iss", "aud", "exp", "nbf"] {
        let token = signer.token(&world.claims_with(&json!({claim: "s3cret"})));
        let problem = world.error_of(&token).await;
        assert!(!format!("{problem} {problem:?}").contains("s3cret"), "{problem:?}");
    }
}
