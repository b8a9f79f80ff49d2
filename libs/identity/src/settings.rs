//! Who is trusted to issue tokens, and which.

use std::{collections::BTreeSet, path::PathBuf, time::Duration};

use serde::Deserialize;

use crate::{Address, Algorithm, jws::is_media_type};

/// Longest leeway in seconds: "usually no more than a few minutes" (RFC 7519 section 4.1.4), and clocks are better today.
const LONGEST_LEEWAY: u32 = 60;

/// Most and fewest seconds after which keys are fetched again.
const KEY_AGES: std::ops::RangeInclusive<u32> = 10..=24 * 60 * 60;

/// Most seconds for which keys may serve that could not be fetched again: one week.
const LONGEST_STALE: u32 = 7 * 24 * 60 * 60;

const LONGEST_NAME: usize = 64;

/// An issuer that is trusted, and what its tokens have to be like.
///
/// A Kubernetes cluster is one whose keys are given to those who show a token and trust its authority:
///
/// ```yaml
/// name: cluster
/// issuer: https://kubernetes.default.svc.cluster.local
/// jwks_uri: https://kubernetes.default.svc/openid/v1/jwks
/// audiences: [countersign]
/// ca_file: /var/run/secrets/kubernetes.io/serviceaccount/ca.crt
/// bearer_token_file: /var/run/secrets/kubernetes.io/serviceaccount/token
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuerSettings {
    /// What it is called here: small letters, digits, `-` and `_`.
    pub name: String,
    /// Its `iss`, letter by letter.
    pub issuer: Address,
    /// Whom tokens have to be for: at least one of these is in `aud`.
    pub audiences: Vec<String>,
    /// How tokens may be signed. Default RS256, PS256, ES256, EdDSA.
    #[serde(default = "usual_algorithms")]
    pub algorithms: Vec<Algorithm>,
    /// Which `typ` tokens may have; one without any counts as a `JWT`. Default `JWT` and `at+jwt` (RFC 9068).
    #[serde(default = "usual_types")]
    pub types: Vec<String>,
    /// Where its keys are; if absent, its discovery document says so.
    #[serde(default)]
    pub jwks_uri: Option<Address>,
    /// Certificates in PEM of authorities that are trusted for its server besides those of the system, read at the start.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// A file with the token that its server wants to see before it gives its keys. It is read anew each time, and shown to
    /// the server of `jwks_uri`, or else of `issuer`, alone.
    #[serde(default)]
    pub bearer_token_file: Option<PathBuf>,
    /// By how many seconds its clock and ours may differ, 0 to 60. Default 30.
    #[serde(default = "usual_leeway")]
    pub leeway_seconds: u32,
    /// After how many seconds its keys are fetched again, 10 to 86400. Default 300. A key that it takes back is accepted
    /// for no longer while its server answers.
    #[serde(default = "usual_key_age")]
    pub max_key_age_seconds: u32,
    /// For how many seconds more the keys serve while its server does not answer, 0 to 604800. Default 3600. After that no
    /// token of its is accepted.
    #[serde(default = "usual_stale")]
    pub serve_stale_seconds: u32,
}

fn usual_algorithms() -> Vec<Algorithm> {
    vec![Algorithm::Rs256, Algorithm::Ps256, Algorithm::Es256, Algorithm::EdDsa]
}

fn usual_types() -> Vec<String> {
    vec!["JWT".to_owned(), "at+jwt".to_owned()]
}

const fn usual_leeway() -> u32 {
    30
}

const fn usual_key_age() -> u32 {
    300
}

const fn usual_stale() -> u32 {
    3600
}

/// Why settings of issuers cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A field has a value that makes no sense.
    #[error("{field} of issuer {issuer:?} {problem}")]
    Field {
        /// The issuer's name.
        issuer: String,
        /// The field.
        field: &'static str,
        /// What is wrong, and what would be right.
        problem: String,
    },
    /// There is no client with these certificates.
    #[error("ca_file of issuer {issuer:?} cannot be used")]
    Certificates {
        /// The issuer's name.
        issuer: String,
        /// Why.
        source: countersign_http::SettingsError,
    },
}

impl IssuerSettings {
    /// An issuer with the usual settings.
    pub fn new(
        name: impl Into<String>,
        issuer: Address,
        audiences: impl IntoIterator<Item = String>,
    ) -> Self {
        Self {
            name: name.into(),
            issuer,
            audiences: audiences.into_iter().collect(),
            algorithms: usual_algorithms(),
            types: usual_types(),
            jwks_uri: None,
            ca_file: None,
            bearer_token_file: None,
            leeway_seconds: usual_leeway(),
            max_key_age_seconds: usual_key_age(),
            serve_stale_seconds: usual_stale(),
        }
    }

    /// Checks settings that belong together.
    ///
    /// # Errors
    /// Names the first issuer and field that makes no sense.
    pub fn check(all: &[Self]) -> Result<(), SettingsError> {
        let mut names = BTreeSet::new();
        let mut issuers = BTreeSet::new();
        for settings in all {
            settings.check_alone()?;
            if !names.insert(settings.name.as_str()) {
                return Err(settings.wrong("name", "is another issuer's too: names must differ"));
            }
            if !issuers.insert(settings.issuer.as_str()) {
                let problem = "stands under another name too: put its audiences together";
                return Err(settings.wrong("issuer", problem));
            }
        }
        Ok(())
    }

    fn check_alone(&self) -> Result<(), SettingsError> {
        let is_name = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_'
        };
        if !(1..=LONGEST_NAME).contains(&self.name.len()) || !self.name.bytes().all(is_name) {
            let problem = "must be 1 to 64 small letters, digits, hyphens and underscores";
            return Err(self.wrong("name", problem));
        }
        if self.audiences.is_empty() || self.audiences.iter().any(String::is_empty) {
            let problem = "must name at least one audience, and none that is empty";
            return Err(self.wrong("audiences", problem));
        }
        if self.algorithms.is_empty() {
            return Err(self.wrong("algorithms", "must name at least one, such as RS256"));
        }
        if self.types.is_empty() || self.types.iter().any(String::is_empty) {
            return Err(self.wrong("types", "must name at least one, such as JWT"));
        }
        self.check_times()
    }

    fn check_times(&self) -> Result<(), SettingsError> {
        let wrong = |field, least: u32, most: u32| {
            Err(self.wrong(field, format!("must be {least} to {most}")))
        };
        if self.leeway_seconds > LONGEST_LEEWAY {
            return wrong("leeway_seconds", 0, LONGEST_LEEWAY);
        }
        if !KEY_AGES.contains(&self.max_key_age_seconds) {
            return wrong("max_key_age_seconds", *KEY_AGES.start(), *KEY_AGES.end());
        }
        if self.serve_stale_seconds > LONGEST_STALE {
            return wrong("serve_stale_seconds", 0, LONGEST_STALE);
        }
        Ok(())
    }

    fn wrong(&self, field: &'static str, problem: impl Into<String>) -> SettingsError {
        SettingsError::Field { issuer: self.name.clone(), field, problem: problem.into() }
    }

    pub(crate) fn leeway(&self) -> Duration {
        Duration::from_secs(self.leeway_seconds.into())
    }

    /// Returns whether tokens of that `typ` are taken.
    pub(crate) fn takes_type(&self, typ: Option<&str>) -> bool {
        self.types.iter().any(|taken| is_media_type(typ.unwrap_or("JWT"), taken))
    }
}

#[cfg(test)]
mod tests;
