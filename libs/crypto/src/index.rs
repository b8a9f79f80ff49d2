//! Keyed hashes: names that tell nothing without the key.

use std::fmt;

use countersign_core::{Rng, TenantId, UserId, UserKey};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A key of 256 bits for hashes that stand in for personal data or short secrets. It never changes: streams are named
/// by it.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct IndexKey([u8; 32]);

impl fmt::Debug for IndexKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl IndexKey {
    /// Draws a key.
    #[must_use]
    pub fn generate(rng: &dyn Rng) -> Self {
        let mut key = [0; 32];
        rng.fill(&mut key);
        Self(key)
    }

    /// Takes 32 bytes over as a key.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the key's bytes, to be wrapped. Every call is a place to audit.
    #[must_use]
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    fn hash(&self, parts: [&[u8]; 3]) -> [u8; 32] {
        keyed_hash(&self.0, parts)
    }

    /// Returns what stands for a user of `tenant` in stream names: the first 128 bits of the hash.
    #[must_use]
    pub fn user_key(&self, tenant: &TenantId, user: &UserId) -> UserKey {
        let hash = self.hash([b"user", tenant.as_str().as_bytes(), user.expose().as_bytes()]);
        UserKey::new(first(&hash))
    }

    /// Returns a tag that only who has this key can make, for a statement that comes back to us. `purpose` keeps
    /// statements of one kind from being taken for another.
    #[must_use]
    pub fn tag(&self, purpose: &'static str, statement: &[u8]) -> [u8; 32] {
        self.hash([b"tag", purpose.as_bytes(), statement])
    }

    /// Returns a digest that tells a repeated request from another one under the same id. Keyed, because a request may
    /// hold a code of six digits, which anyone could find from a plain hash in the log.
    #[must_use]
    pub fn request_digest(&self, method: &str, content: &[u8]) -> u64 {
        u64::from_be_bytes(first(&self.hash([b"request", method.as_bytes(), content])))
    }
}

/// HMAC-SHA-256 (RFC 2104) over parts that are each preceded by their length, so that no two lists look alike.
#[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
pub(crate) fn keyed_hash<const N: usize>(key: &[u8; 32], parts: [&[u8]; N]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length will do");
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// Returns the first bytes of a hash.
pub(crate) fn first<const N: usize>(hash: &[u8; 32]) -> [u8; N] {
    let mut bytes = [0; N];
    for (byte, hashed) in bytes.iter_mut().zip(hash) {
        *byte = *hashed;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> IndexKey {
        IndexKey::from_bytes([byte; 32])
    }

    #[test]
    fn a_user_is_known_by_key_tenant_and_id_together() {
        let [acme, other] = ["acme", "acme-b"].map(|name| TenantId::parse(name).unwrap());
        let [alice, bob] = ["alice", "bob"].map(|name| UserId::parse(name).unwrap());
        let known = key(1).user_key(&acme, &alice);
        assert_eq!(known, key(1).user_key(&acme, &alice));
        assert_ne!(known, key(1).user_key(&acme, &bob));
        assert_ne!(known, key(1).user_key(&other, &alice));
        assert_ne!(known, key(2).user_key(&acme, &alice));
    }

    #[test]
    fn the_border_between_parts_counts() {
        let [ab, a] = ["ab", "a"].map(|name| TenantId::parse(name).unwrap());
        let [c, bc] = ["c", "bc"].map(|name| UserId::parse(name).unwrap());
        assert_ne!(key(1).user_key(&ab, &c), key(1).user_key(&a, &bc));
    }

    #[test]
    fn a_tag_is_for_one_purpose_and_one_statement() {
        let tag = key(1).tag("token", b"ann");
        assert_eq!(tag, key(1).tag("token", b"ann"));
        assert_ne!(tag, key(1).tag("token", b"bob"));
        assert_ne!(tag, key(1).tag("peer", b"ann"));
        assert_ne!(tag, key(2).tag("token", b"ann"));
    }

    #[test]
    fn a_digest_cannot_be_found_without_the_key() {
        let digest = key(1).request_digest("VerifyChallenge", b"123456");
        assert_ne!(digest, key(2).request_digest("VerifyChallenge", b"123456"));
        assert_ne!(digest, key(1).request_digest("VerifyChallenge", b"123457"));
        assert_ne!(digest, key(1).request_digest("ConfirmEnrollment", b"123456"));
    }
}
