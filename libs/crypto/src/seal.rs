//! Sealing: XChaCha20-Poly1305 under a data key, bound to tenant, user and field.

use std::fmt;

use chacha20poly1305::{
    KeyInit as _, XChaCha20Poly1305, XNonce,
    aead::{Aead as _, Payload},
};
use countersign_core::{Rng, SecretBytes, TenantId, UserKey};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::index::{first, keyed_hash};

/// Length of an XChaCha20 nonce in bytes: long enough to be drawn at random without end.
const NONCE_LEN: usize = 24;

/// A sealed value: who can open it, and nothing more.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// Which key: `{tenant}.{user_key}` for the user's data key, `{tenant}.{user_key}.{generation}` for a secrets key.
    pub key_id: Box<str>,
    /// 24 bytes of nonce, then ciphertext and tag.
    pub ciphertext: Vec<u8>,
}

impl Sealed {
    /// Returns the generation of the secrets key that sealed it; `None` if the data key did, which is never exchanged.
    #[must_use]
    pub fn generation(&self) -> Option<u32> {
        // Neither tenants' names nor hashes have a point in them.
        self.key_id.splitn(3, '.').nth(2)?.parse().ok()
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.ciphertext.len())
    }
}

/// What a sealed value is bound to. Moved to another tenant, user or field, it does not open.
#[derive(Clone, Copy, Debug)]
pub struct SealContext<'a> {
    /// The tenant.
    pub tenant: &'a TenantId,
    /// The user.
    pub user: UserKey,
    /// What the value is for.
    pub field: &'static str,
    /// Which of the user's secrets keys seals it; `None` for the data key.
    pub generation: Option<u32>,
}

impl SealContext<'_> {
    /// Associated data in which no two contexts look alike: each part is preceded by its length. The generation is not in
    /// it: each has a key of its own.
    fn associated_data(&self) -> Vec<u8> {
        let parts: [&[u8]; 3] =
            [self.tenant.as_str().as_bytes(), self.user.as_bytes(), self.field.as_bytes()];
        let mut data = Vec::with_capacity(96);
        for part in parts {
            data.extend_from_slice(&(part.len() as u64).to_be_bytes());
            data.extend_from_slice(part);
        }
        data
    }

    fn key_id(&self) -> Box<str> {
        match self.generation {
            None => format!("{}.{}", self.tenant, self.user).into(),
            Some(generation) => format!("{}.{}.{generation}", self.tenant, self.user).into(),
        }
    }
}

/// Why a sealed value does not open: it was altered, or it is not for this key and context.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the sealed value was altered or belongs elsewhere")]
pub struct OpenError;

/// A key of 256 bits that seals one user's values.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct DataKey([u8; 32]);

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl DataKey {
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

    /// Seals `plaintext` for `context`.
    #[must_use]
    pub fn seal(&self, context: &SealContext<'_>, plaintext: &[u8], rng: &dyn Rng) -> Sealed {
        let ciphertext = seal_bytes(self, &context.associated_data(), plaintext, rng);
        Sealed { key_id: context.key_id(), ciphertext }
    }

    /// Opens what was sealed for `context`.
    ///
    /// # Errors
    /// Says that it was altered or belongs elsewhere.
    pub fn open(
        &self,
        context: &SealContext<'_>,
        sealed: &Sealed,
    ) -> Result<SecretBytes, OpenError> {
        open_bytes(self, &context.associated_data(), &sealed.ciphertext)
    }

    /// Returns what stands for `value` of `context`: the first 64 bits of HMAC-SHA-256 (RFC 2104). Equal values have
    /// equal names, and once the key is destroyed nobody can find a value by trying all there are.
    #[must_use]
    pub fn name(&self, context: &SealContext<'_>, value: &[u8]) -> u64 {
        // Under a key of its own, for the data key itself is for the cipher.
        let mut names_key = keyed_hash(&self.0, [b"names"]);
        let name = keyed_hash(&names_key, [&context.associated_data(), value]);
        names_key.zeroize();
        u64::from_be_bytes(first(&name))
    }
}

/// Seals `plaintext` with any associated data: nonce, then ciphertext and tag.
#[must_use]
#[expect(clippy::expect_used, reason = "only a plaintext of 256 GiB or more cannot be sealed")]
pub fn seal_bytes(key: &DataKey, associated: &[u8], plaintext: &[u8], rng: &dyn Rng) -> Vec<u8> {
    let mut nonce = [0; NONCE_LEN];
    rng.fill(&mut nonce);
    let cipher = XChaCha20Poly1305::new(&key.0.into());
    let payload = Payload { msg: plaintext, aad: associated };
    let sealed = cipher.encrypt(&XNonce::from(nonce), payload).expect("a short plaintext");
    let mut bytes = Vec::with_capacity(NONCE_LEN + sealed.len());
    bytes.extend_from_slice(&nonce);
    bytes.extend_from_slice(&sealed);
    bytes
}

/// Opens what [`seal_bytes`] made with the same associated data.
///
/// # Errors
/// Says that it was altered or belongs elsewhere.
pub fn open_bytes(
    key: &DataKey,
    associated: &[u8],
    sealed: &[u8],
) -> Result<SecretBytes, OpenError> {
    let (nonce, ciphertext) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(OpenError)?;
    let cipher = XChaCha20Poly1305::new(&key.0.into());
    let payload = Payload { msg: ciphertext, aad: associated };
    cipher.decrypt(&XNonce::from(*nonce), payload).map(SecretBytes::new).map_err(|_| OpenError)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU8, Ordering};

    // By name: the prelude has another `Rng`.
    use countersign_core::Rng;
    use proptest::prelude::*;

    use super::*;

    struct Counting(AtomicU8);

    impl Rng for Counting {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill_with(|| self.0.fetch_add(1, Ordering::Relaxed));
        }
    }

    fn tenant(name: &str) -> TenantId {
        TenantId::parse(name).unwrap()
    }

    proptest! {
        #[test]
        fn a_sealed_value_opens_where_it_belongs_and_nowhere_else(
            plaintext in prop::collection::vec(any::<u8>(), 0..200),
            flipped_bit in any::<prop::sample::Index>(),
        ) {
            let rng = Counting(AtomicU8::new(0));
            let key = DataKey::generate(&rng);
            let (acme, other) = (tenant("acme"), tenant("acmf"));
            let user = UserKey::new([1; 16]);
            let context = SealContext { tenant: &acme, user, field: "record", generation: None };
            let sealed = key.seal(&context, &plaintext, &rng);
            let opened = key.open(&context, &sealed).unwrap();
            prop_assert_eq!(opened.expose(), &*plaintext);

            let elsewhere = [
                SealContext { tenant: &other, ..context },
                SealContext { user: UserKey::new([2; 16]), ..context },
                SealContext { field: "name", ..context },
            ];
            for context in elsewhere {
                prop_assert_eq!(key.open(&context, &sealed), Err(OpenError));
            }
            prop_assert_eq!(DataKey::generate(&rng).open(&context, &sealed), Err(OpenError));

            let mut altered = sealed;
            let bit = flipped_bit.index(altered.ciphertext.len() * 8);
            altered.ciphertext[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(key.open(&context, &altered), Err(OpenError));
        }
    }

    #[test]
    fn a_name_is_the_same_for_the_same_value_key_and_context_and_for_nothing_else() {
        let (acme, other) = (tenant("acme"), tenant("other"));
        let key = DataKey::from_bytes([1; 32]);
        let user = UserKey::new([1; 16]);
        let context = SealContext { tenant: &acme, user, field: "source", generation: None };
        let name = key.name(&context, b"203.0.113.7");
        assert_eq!(name, key.clone().name(&context, b"203.0.113.7"));
        assert_ne!(name, key.name(&context, b"203.0.113.8"));
        assert_ne!(name, DataKey::from_bytes([2; 32]).name(&context, b"203.0.113.7"));
        let elsewhere = [
            SealContext { tenant: &other, ..context },
            SealContext { user: UserKey::new([2; 16]), ..context },
            SealContext { field: "record", ..context },
        ];
        for context in elsewhere {
            assert_ne!(name, key.name(&context, b"203.0.113.7"));
        }
    }

    #[test]
    fn a_sealed_value_says_which_generation_of_secrets_keys_sealed_it() {
        let acme = tenant("acme-eu");
        for generation in [None, Some(1), Some(4_000_000_000)] {
            let user = UserKey::new([1; 16]);
            let context = SealContext { tenant: &acme, user, field: "record", generation };
            let sealed = DataKey::from_bytes([1; 32]).seal(&context, b"", &Counting(0.into()));
            assert_eq!(sealed.generation(), generation, "{}", sealed.key_id);
        }
        for key_id in ["", "acme", "acme.00.", "acme.00.x", "acme.00.-1", "acme.00.1.2"] {
            let sealed = Sealed { key_id: key_id.into(), ciphertext: vec![] };
            assert_eq!(sealed.generation(), None, "{key_id}");
        }
    }

    #[test]
    fn what_is_too_short_to_be_sealed_does_not_open() {
        let key = DataKey::from_bytes([0; 32]);
        assert_eq!(open_bytes(&key, b"", &[0; 23]), Err(OpenError));
        assert_eq!(open_bytes(&key, b"", &[]), Err(OpenError));
    }

    #[test]
    fn debug_tells_nothing() {
        assert_eq!(format!("{:?}", DataKey::from_bytes([7; 32])), "[redacted]");
        let sealed = Sealed { key_id: "acme.00".into(), ciphertext: vec![0; 40] };
        assert_eq!(format!("{sealed:?}"), "Sealed(40 bytes)");
    }
}
