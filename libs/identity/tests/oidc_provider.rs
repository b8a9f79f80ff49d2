//! Tokens of an OpenID provider of other people, over real HTTP: npm's `oidc-provider`.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a failed test says so by panicking"
)]

use std::{sync::Arc, time::Duration};

use countersign_core::Timestamp;
use countersign_identity::{IssuerSettings, Issuers, TokenError};
use countersign_testkit::{IssuerClient, MovableClock, OidcIssuer};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

const AUDIENCE: &str = "https://mfa.example.com";

/// The provider, whoever trusts it, and a clock that begins when its first token does.
struct World {
    provider: OidcIssuer,
    clock: Arc<MovableClock>,
    issuers: Issuers,
}

impl World {
    async fn start() -> Self {
        let clients = ["RS256", "PS256", "ES256", "EdDSA", "Ed25519"].map(|algorithm| {
            let claims = json!({"tenant": "acme", "roles": ["verifier"]});
            IssuerClient::new(algorithm).signed_with(algorithm).with_claims(claims)
        });
        let provider = OidcIssuer::start(clients).await;
        let issued = issued_at(&provider.access_token("ES256", AUDIENCE).await);
        let clock = Arc::new(MovableClock::at(issued));
        let settings =
            IssuerSettings::new("login", provider.issuer().parse().unwrap(), [AUDIENCE.to_owned()]);
        let issuers = Issuers::new([settings], clock.clone()).unwrap();
        Self { provider, clock, issuers }
    }

    /// Gets a token now, as far as the provider is concerned.
    async fn token(&self) -> String {
        self.provider.access_token("ES256", AUDIENCE).await
    }

    async fn accepts(&self, token: &str) -> bool {
        self.issuers.verify(token).await.is_ok()
    }

    async fn error_of(&self, token: &str) -> TokenError {
        self.issuers.verify(token).await.unwrap_err()
    }
}

fn issued_at(token: &str) -> Timestamp {
    let claims = BASE64URL_NOPAD.decode(token.split('.').nth(1).unwrap().as_bytes()).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    Timestamp::from_unix_seconds(claims["iat"].as_i64().unwrap())
}

fn unavailable() -> TokenError {
    TokenError::KeysUnavailable { issuer: "login".to_owned() }
}

#[tokio::test]
async fn tokens_of_another_peoples_provider_are_understood() {
    let world = World::start().await;
    for algorithm in ["RS256", "PS256", "ES256", "EdDSA", "Ed25519"] {
        let token = world.provider.access_token(algorithm, AUDIENCE).await;
        let verified = world.issuers.verify(&token).await.unwrap();
        assert_eq!((&*verified.issuer_name, &*verified.subject), ("login", algorithm));
        assert_eq!(verified.issuer, world.provider.issuer());
        assert_eq!(verified.audiences, [AUDIENCE]);
        assert_eq!(verified.claims["tenant"], "acme");
        assert_eq!(verified.claims["roles"], json!(["verifier"]));
        let lifetime = verified.expires_at.since(issued_at(&token));
        assert_eq!(lifetime, Duration::from_secs(600));
    }
    let for_others = world.provider.access_token("ES256", "https://other.example.com").await;
    assert_eq!(world.error_of(&for_others).await, TokenError::WrongAudience);
}

#[tokio::test]
async fn a_provider_rotates_its_keys_and_is_followed() {
    let mut world = World::start().await;
    let old = world.token().await;
    assert!(world.accepts(&old).await);
    world.provider.rotate().await;
    let new = world.token().await;
    world.clock.advance(Duration::from_secs(10));
    assert!(world.accepts(&new).await && world.accepts(&old).await);
    world.provider.retire().await;
    world.clock.advance(Duration::from_secs(300));
    assert!(world.accepts(&new).await);
    assert_eq!(world.error_of(&old).await, TokenError::UnknownKey);
}

#[tokio::test]
async fn a_provider_that_is_killed_is_trusted_for_a_while_and_again_when_it_is_back() {
    let mut world = World::start().await;
    let token = world.token().await;
    assert!(world.accepts(&token).await);
    world.provider.kill().await;
    world.clock.advance(Duration::from_secs(310));
    assert!(world.accepts(&token).await, "its keys are in memory");
    world.clock.advance(Duration::from_secs(3600));
    assert_eq!(world.error_of(&token).await, unavailable());

    world.provider.restart().await;
    let new = world.token().await;
    world.clock.set(issued_at(&new).plus(Duration::from_secs(10)));
    assert!(world.accepts(&new).await);
    assert_eq!(world.error_of(&token).await, TokenError::UnknownKey, "its old keys are lost");
}
