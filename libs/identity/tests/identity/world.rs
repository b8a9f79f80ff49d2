//! An issuer with its keys, whoever trusts it, and a clock.

use std::{sync::Arc, time::Duration};

use countersign_core::Clock as _;
use countersign_identity::{IssuerSettings, Issuers, TokenError, VerifiedToken};
use countersign_testkit::MovableClock;
use futures_util::FutureExt as _;
use serde_json::{Value, json};

use crate::{server::KeyServer, signing::Signer};

pub(crate) const AUDIENCE: &str = "https://mfa.example.com";

/// How old keys become before they are fetched again while they serve, how old they become while their issuer answers, and
/// how old at all: by the usual settings.
pub(crate) const DUE: Duration = Duration::from_secs(225);
pub(crate) const STALE: Duration = Duration::from_secs(300);
pub(crate) const GONE: Duration = Duration::from_secs(300 + 3600);

/// One issuer, one who trusts it.
pub(crate) struct World {
    pub(crate) server: KeyServer,
    pub(crate) clock: Arc<MovableClock>,
    pub(crate) issuers: Issuers,
}

impl World {
    /// An issuer that publishes these keys at an address that is configured.
    pub(crate) async fn of(signers: &[&Signer]) -> Self {
        Self::with(signers, |_| {}).await
    }

    pub(crate) async fn with(
        signers: &[&Signer],
        change: impl FnOnce(&mut IssuerSettings),
    ) -> Self {
        let server = KeyServer::start().await;
        server.publish(signers);
        let mut settings = settings(&server);
        settings.jwks_uri = Some(server.jwks_uri().parse().unwrap());
        change(&mut settings);
        let clock = Arc::new(MovableClock::default());
        let issuers = Issuers::new([settings], clock.clone()).unwrap();
        Self { server, clock, issuers }
    }

    /// Claims of a token that is right.
    pub(crate) fn claims(&self) -> Value {
        let now = self.clock.now().unix_seconds();
        json!({
            "iss": self.server.issuer(), "sub": "platform", "aud": AUDIENCE,
            "iat": now, "exp": now + 100_000,
        })
    }

    pub(crate) fn claims_with(&self, changes: &Value) -> Value {
        let mut claims = self.claims();
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims
    }

    /// A token that is right.
    pub(crate) fn token(&self, signer: &Signer) -> String {
        signer.token(&self.claims())
    }

    pub(crate) async fn verify(&self, token: &str) -> Result<VerifiedToken, TokenError> {
        self.issuers.verify(token).await
    }

    pub(crate) async fn accepts(&self, signer: &Signer) -> bool {
        match self.verify(&self.token(signer)).await {
            Ok(token) => token.subject == "platform",
            Err(problem) => {
                let expected = [TokenError::UnknownKey, unavailable()];
                assert!(expected.contains(&problem), "{problem}");
                false
            }
        }
    }

    /// Returns whether a token is accepted without waiting for anything.
    pub(crate) fn accepts_at_once(&self, signer: &Signer) -> bool {
        self.accepts(signer).now_or_never().unwrap_or_default()
    }

    pub(crate) async fn error_of(&self, token: &str) -> TokenError {
        self.verify(token).await.unwrap_err()
    }
}

pub(crate) fn settings(server: &KeyServer) -> IssuerSettings {
    IssuerSettings::new("login", server.issuer().parse().unwrap(), [AUDIENCE.to_owned()])
}

pub(crate) fn unavailable() -> TokenError {
    TokenError::KeysUnavailable { issuer: "login".to_owned() }
}
