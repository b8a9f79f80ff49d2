//! API keys: `csk_{tenant}.{key id}.{secret}`. The tenant in it says where to look; the secret says who is right.

use std::fmt;

use countersign_core::{KeyId, Rng, SecretString, TenantId};
use data_encoding::{BASE32_NOPAD, BASE64URL_NOPAD};
use zeroize::Zeroizing;

/// What every key begins with, so that leaked ones are found by scanners.
pub(crate) const PREFIX: &str = "csk_";

/// An API key, whole.
#[derive(Clone)]
pub struct ApiKeySecret {
    tenant: TenantId,
    key_id: KeyId,
    secret: SecretString,
}

impl fmt::Debug for ApiKeySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}.{}.[redacted]", self.tenant, self.key_id)
    }
}

impl ApiKeySecret {
    /// Makes a key of `tenant` with an id of its own.
    #[must_use]
    #[expect(clippy::expect_used, reason = "base 32 in lower case has letters and digits only")]
    pub fn generate(tenant: &TenantId, rng: &dyn Rng) -> Self {
        let mut id = [0u8; 10];
        rng.fill(&mut id);
        let key_id = KeyId::parse(&BASE32_NOPAD.encode(&id).to_ascii_lowercase());
        Self::with_id(tenant, key_id.expect("letters and digits"), rng)
    }

    /// Makes a fresh secret of 256 random bits for a key of `tenant`.
    #[must_use]
    pub fn with_id(tenant: &TenantId, key_id: KeyId, rng: &dyn Rng) -> Self {
        let mut secret = Zeroizing::new([0u8; 32]);
        rng.fill(&mut *secret);
        let secret = SecretString::new(BASE64URL_NOPAD.encode(&*secret));
        Self { tenant: tenant.clone(), key_id, secret }
    }

    /// Reads a key. `None` if it does not have the form of one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix(PREFIX)?.split('.');
        let (tenant, key_id, secret) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() || secret.len() != 43 {
            return None;
        }
        Some(Self {
            tenant: TenantId::parse(tenant).ok()?,
            key_id: KeyId::parse(key_id).ok()?,
            secret: SecretString::new(secret.to_owned()),
        })
    }

    /// Returns the tenant that it belongs to.
    #[must_use]
    pub const fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// Returns its public part.
    #[must_use]
    pub const fn key_id(&self) -> &KeyId {
        &self.key_id
    }

    /// Returns what is stored of its secret: with 256 random bits, a plain hash is enough.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        countersign_crypto::sha256(self.secret.expose().as_bytes())
    }

    /// Returns the whole key, to be shown once.
    #[must_use]
    pub fn reveal(&self) -> SecretString {
        let text = format!("{PREFIX}{}.{}.{}", self.tenant, self.key_id, self.secret.expose());
        SecretString::new(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::OsRandom;

    #[test]
    fn a_key_can_be_read_again_and_keeps_its_secret_to_itself() {
        let tenant = TenantId::parse("acme-eu").unwrap();
        let key = ApiKeySecret::generate(&tenant, &OsRandom);
        let read = ApiKeySecret::parse(key.reveal().expose()).unwrap();
        assert_eq!(read.hash(), key.hash());
        assert_eq!(read.tenant(), &tenant);
        assert!(!format!("{key:?}").contains(key.secret.expose()));
    }

    #[test]
    fn what_is_not_a_key_is_not_read() {
        for text in ["", "csk_", "csk_acme.k.short", "acme.k.x", "csk_acme.k.a.b"] {
            assert!(ApiKeySecret::parse(text).is_none(), "{text}");
        }
        let long = format!("csk_ACME.k.{}", "a".repeat(43));
        assert!(ApiKeySecret::parse(&long).is_none());
    }
}
