//! Who is let in besides the holders of API keys: the settings `callers`.

use std::{collections::BTreeMap, sync::Arc};

use anyhow::Context as _;
use countersign_core::Clock;
use countersign_identity::{IssuerSettings, Issuers};
use countersign_service::access::{
    Identities,
    foreign::{CertificateRule, CertificateRules, TokenRule, TokenRules},
};
use serde::Deserialize;

/// Callers that others vouch for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CallersConfig {
    /// Issuers whose tokens are taken, each with what its holders are. Default none.
    pub issuers: Vec<IssuerConfig>,
    /// What the holders of certificates are, for listeners that ask for one. Default none.
    pub certificates: Vec<CertificateRule>,
}

/// An issuer, and what the holders of its tokens are.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuerConfig {
    /// The issuer.
    pub trusted: IssuerSettings,
    /// What the holders of its tokens are: the first rule that fits decides.
    pub callers: Vec<TokenRule>,
}

impl CallersConfig {
    /// Makes what callers are found with.
    ///
    /// # Errors
    /// Names the issuer, and the setting or rule of it that cannot be used.
    pub fn identities(&self, clock: Arc<dyn Clock>) -> anyhow::Result<Identities> {
        let settings = self.issuers.iter().map(|issuer| issuer.trusted.clone());
        let issuers = if self.issuers.is_empty() {
            None
        } else {
            Some(Issuers::new(settings, clock).context("callers.issuers")?)
        };
        let token_rules = self.issuers.iter().map(|issuer| {
            let name = &issuer.trusted.name;
            let rules = TokenRules::new(&issuer.callers);
            let rules = rules.with_context(|| format!("callers.issuers: {name:?}: callers"))?;
            Ok((name.clone(), rules))
        });
        Ok(Identities {
            issuers,
            token_rules: token_rules.collect::<anyhow::Result<BTreeMap<_, _>>>()?,
            certificates: CertificateRules::new(&self.certificates)
                .context("callers.certificates")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use countersign_service::SystemClock;

    use super::*;

    const ISSUER: &str = r#"{
        "trusted": {"name": "login", "issuer": "https://login.example.com", "audiences": ["mfa"]},
        "callers": [{"when": {"groups": "mfa-admins"}, "tenant": "acme", "roles": ["tenant_admin"]}]
    }"#;

    fn config(issuers: &str, certificates: &str) -> CallersConfig {
        let text = format!(r#"{{"issuers": [{issuers}], "certificates": [{certificates}]}}"#);
        serde_json::from_str(&text).unwrap()
    }

    fn refused(config: &CallersConfig) -> String {
        format!("{:#}", config.identities(Arc::new(SystemClock)).unwrap_err())
    }

    #[test]
    fn nobody_is_let_in_unless_said_otherwise() {
        let identities = CallersConfig::default().identities(Arc::new(SystemClock)).unwrap();
        assert!(identities.issuers.is_none() && identities.token_rules.is_empty());
        assert_eq!(identities.certificates.standing("spiffe://example.org/a"), None);
    }

    #[test]
    fn an_issuer_comes_with_its_rules() {
        let certificate =
            r#"{"spiffe_id": "spiffe://example.org/a", "tenant": "acme", "roles": ["verifier"]}"#;
        let identities = config(ISSUER, certificate).identities(Arc::new(SystemClock)).unwrap();
        assert!(identities.issuers.is_some() && identities.token_rules.contains_key("login"));
        assert!(identities.certificates.standing("spiffe://example.org/a").is_some());
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let twice = format!("{ISSUER}, {ISSUER}");
        assert!(refused(&config(&twice, "")).contains("callers.issuers"), "named twice");
        let text = refused(&config(&ISSUER.replace("tenant_admin", "root"), ""));
        assert!(text.contains("\"login\": callers: rule 1: roles"), "{text}");
        let certificate = r#"{"spiffe_id": "nobody", "tenant": "acme", "roles": ["verifier"]}"#;
        let text = refused(&config("", certificate));
        assert!(text.starts_with("callers.certificates: rule 1: spiffe_id"), "{text}");
        let unknown = r#"{"issuers": [], "certificate": []}"#;
        assert!(serde_json::from_str::<CallersConfig>(unknown).is_err());
    }
}
