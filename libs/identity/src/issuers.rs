//! The issuers that are trusted, and how one of their tokens is verified.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    fmt,
    path::PathBuf,
    sync::Arc,
};

use countersign_core::Clock;
use countersign_http::{Http, HttpSettings};
use futures_util::future::join_all;
use serde_json::Value;

use crate::{
    IssuerSettings, SettingsError, TokenError, VerifiedToken,
    cache::KeyCache,
    claims::{self, Expected},
    jws::Jws,
    source::Source,
};

/// The issuers that are trusted. Cheap to clone; clones share keys.
#[derive(Clone)]
pub struct Issuers {
    /// By `iss`.
    trusted: Arc<BTreeMap<String, Trusted>>,
    clock: Arc<dyn Clock>,
}

struct Trusted {
    settings: IssuerSettings,
    cache: Arc<KeyCache>,
}

impl fmt::Debug for Issuers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.trusted.keys()).finish()
    }
}

impl Issuers {
    /// Trusts the issuers of `settings`. Nobody is asked for keys yet.
    ///
    /// # Errors
    /// Names the issuer and the field that cannot be used.
    pub fn new(
        settings: impl IntoIterator<Item = IssuerSettings>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, SettingsError> {
        let settings: Vec<_> = settings.into_iter().collect();
        IssuerSettings::check(&settings)?;
        let mut clients = Clients::default();
        let mut trusted = BTreeMap::new();
        for settings in settings {
            let source = Source::new(&settings, clients.for_issuer(&settings)?);
            let cache = Arc::new(KeyCache::new(&settings, source, Arc::clone(&clock)));
            trusted.insert(settings.issuer.as_str().to_owned(), Trusted { settings, cache });
        }
        Ok(Self { trusted: Arc::new(trusted), clock })
    }

    /// Returns whether no issuer is trusted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.trusted.is_empty()
    }

    /// Fetches the keys of all issuers that have none yet, and returns the names of those whose keys are not to be had. The
    /// first calls after a start then need not wait for them; what is missing is asked for again when a token comes.
    pub async fn warm(&self) -> Vec<String> {
        let warming = self.trusted.values().map(async |trusted| {
            let keys = trusted.cache.keys().await;
            keys.is_none().then(|| trusted.settings.name.clone())
        });
        join_all(warming).await.into_iter().flatten().collect()
    }

    /// Verifies a token: everything that is said in the crate's documentation, and nothing is believed before its signature
    /// is right but who claims to be its issuer.
    ///
    /// # Errors
    /// Says why the token is refused, or that its issuer's keys are not to be had.
    pub async fn verify(&self, token: &str) -> Result<VerifiedToken, TokenError> {
        let token = Jws::parse(token)?;
        let issuer = match token.claims.get("iss") {
            Some(Value::String(issuer)) => issuer,
            Some(_) | None => return Err(TokenError::BadClaim { claim: "iss" }),
        };
        let trusted = self.trusted.get(issuer).ok_or(TokenError::UnknownIssuer)?;
        trusted.verify_signature(&token).await?;
        let settings = &trusted.settings;
        let expected = Expected {
            audiences: &settings.audiences,
            leeway: settings.leeway(),
            now: self.clock.now(),
        };
        let judged = claims::judge(&token.claims, expected)?;
        Ok(VerifiedToken {
            issuer_name: settings.name.clone(),
            issuer: settings.issuer.as_str().to_owned(),
            subject: judged.subject,
            audiences: judged.audiences,
            expires_at: judged.expires_at,
            claims: token.claims,
        })
    }
}

impl Trusted {
    async fn verify_signature(&self, token: &Jws<'_>) -> Result<(), TokenError> {
        if !self.settings.algorithms.contains(&token.algorithm) {
            return Err(TokenError::AlgorithmNotAllowed);
        }
        if !self.settings.takes_type(token.typ.as_deref()) {
            return Err(TokenError::WrongType);
        }
        let unavailable = || TokenError::KeysUnavailable { issuer: self.settings.name.clone() };
        let keys = self.cache.keys().await.ok_or_else(unavailable)?;
        match keys.verify(token) {
            Err(problem) if may_be_new_key(&problem, token) => {
                let keys = self.cache.keys_after_unknown().await.ok_or_else(unavailable)?;
                keys.verify(token)
            }
            other => other,
        }
    }
}

/// Returns whether the token may be signed with a key that the issuer has published since we asked. An only key may have no
/// name, and then its successor has none either.
fn may_be_new_key(problem: &TokenError, token: &Jws<'_>) -> bool {
    let unnamed = token.kid.is_none();
    *problem == TokenError::UnknownKey || (unnamed && *problem == TokenError::BadSignature)
}

/// One client for each set of authorities.
#[derive(Default)]
struct Clients(BTreeMap<Option<PathBuf>, Http>);

impl Clients {
    fn for_issuer(&mut self, settings: &IssuerSettings) -> Result<Http, SettingsError> {
        match self.0.entry(settings.ca_file.clone()) {
            Entry::Occupied(made) => Ok(made.get().clone()),
            Entry::Vacant(place) => {
                let extra_roots = settings.ca_file.clone();
                let http = Http::new(&HttpSettings { extra_roots, ..HttpSettings::default() });
                let unusable = |source| {
                    let issuer = settings.name.clone();
                    SettingsError::Certificates { issuer, source }
                };
                Ok(place.insert(http.map_err(unusable)?).clone())
            }
        }
    }
}
