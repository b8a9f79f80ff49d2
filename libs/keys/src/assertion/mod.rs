//! The key that signs statements of proofs: ES256, ECDSA on P-256 with SHA-256.

mod jwk;

use std::fmt;

use countersign_core::SecretBytes;
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};

/// Why nothing was signed: the operating system gave no random bytes. Try again later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signing key cannot be used")]
pub struct SignError;

/// Why bytes are no signing key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no signing key for P-256")]
pub(crate) struct NotAKey;

/// A key that signs, with its public part as others need it to check.
pub struct AssertionKey {
    pair: EcdsaKeyPair,
    random: SystemRandom,
    kid: String,
    jwks: String,
}

impl fmt::Debug for AssertionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AssertionKey({})", self.kid)
    }
}

impl AssertionKey {
    /// Draws a key, as a PKCS#8 document (RFC 5958). The randomness is the operating system's: the signing library
    /// takes no other.
    pub(crate) fn generate() -> Result<SecretBytes, SignError> {
        EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
            .map(|document| SecretBytes::new(document.as_ref().to_vec()))
            .map_err(|_| SignError)
    }

    /// Takes a key from its PKCS#8 document.
    pub(crate) fn from_pkcs8(document: &[u8]) -> Result<Self, NotAKey> {
        let random = SystemRandom::new();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document, &random)
            .map_err(|_| NotAKey)?;
        let jwk = jwk::Jwk::of_point(pair.public_key().as_ref()).ok_or(NotAKey)?;
        let kid = jwk.thumbprint();
        Ok(Self { pair, random, jwks: jwk.set(&kid, Self::ALGORITHM), kid })
    }

    const ALGORITHM: &str = "ES256";

    /// Signs `message`: 64 bytes, R and S, as a JWS wants it (RFC 7518 section 3.4).
    ///
    /// # Errors
    /// Says that the operating system gives no random bytes.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let signature = self.pair.sign(&self.random, message).map_err(|_| SignError)?;
        Ok(signature.as_ref().to_vec())
    }

    /// Returns the key's id: the thumbprint of its public part (RFC 7638).
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Returns the algorithm's name in a JWS (RFC 7518 section 3.1).
    #[must_use]
    pub const fn algorithm(&self) -> &'static str {
        Self::ALGORITHM
    }

    /// Returns the public keys that check our signatures, as a JWK set (RFC 7517 section 5).
    #[must_use]
    pub fn jwks(&self) -> String {
        self.jwks.clone()
    }
}

#[cfg(test)]
mod tests {
    use data_encoding::BASE64URL_NOPAD;
    use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};

    use super::*;

    fn key() -> AssertionKey {
        AssertionKey::from_pkcs8(AssertionKey::generate().unwrap().expose()).unwrap()
    }

    /// Reads the public key from the JWK set, as a stranger would.
    fn shown(key: &AssertionKey) -> serde_json::Value {
        let set: serde_json::Value = serde_json::from_str(&key.jwks()).unwrap();
        let keys = set["keys"].as_array().unwrap();
        assert_eq!(keys.len(), 1);
        keys[0].clone()
    }

    fn public_point(jwk: &serde_json::Value) -> Vec<u8> {
        let mut point = vec![4];
        for coordinate in ["x", "y"] {
            let text = jwk[coordinate].as_str().unwrap();
            point.extend(BASE64URL_NOPAD.decode(text.as_bytes()).unwrap());
        }
        point
    }

    #[test]
    fn a_signature_is_checked_with_the_key_that_is_shown() {
        let key = key();
        let signature = key.sign(b"header.payload").unwrap();
        assert_eq!(signature.len(), 64);
        let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public_point(&shown(&key)));
        assert!(public.verify(b"header.payload", &signature).is_ok());
        assert!(public.verify(b"header.payloae", &signature).is_err());
        let other =
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public_point(&shown(&self::key())));
        assert!(other.verify(b"header.payload", &signature).is_err());
    }

    #[test]
    fn the_key_id_is_the_thumbprint_of_what_is_shown() {
        let key = key();
        let jwk = shown(&key);
        let canonical = format!(
            r#"{{"crv":{},"kty":{},"x":{},"y":{}}}"#,
            jwk["crv"], jwk["kty"], jwk["x"], jwk["y"]
        );
        let digest = ring::digest::digest(&ring::digest::SHA256, canonical.as_bytes());
        assert_eq!(key.kid(), BASE64URL_NOPAD.encode(digest.as_ref()));
        assert_eq!(jwk["kid"], key.kid());
        assert_eq!(jwk["alg"], key.algorithm());
        assert_eq!(
            (&jwk["crv"], &jwk["kty"], &jwk["use"]),
            (&"P-256".into(), &"EC".into(), &"sig".into())
        );
    }

    #[test]
    fn only_the_public_part_is_shown() {
        let document = AssertionKey::generate().unwrap();
        let key = AssertionKey::from_pkcs8(document.expose()).unwrap();
        let jwk = shown(&key);
        let mut names: Vec<_> = jwk.as_object().unwrap().keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["alg", "crv", "kid", "kty", "use", "x", "y"]);
        assert_eq!(format!("{key:?}"), format!("AssertionKey({})", key.kid()));
    }

    #[test]
    fn what_is_no_key_is_not_taken() {
        assert_eq!(AssertionKey::from_pkcs8(b"").unwrap_err(), NotAKey);
        let mut document = AssertionKey::generate().unwrap().expose().to_vec();
        document.truncate(100);
        assert_eq!(AssertionKey::from_pkcs8(&document).unwrap_err(), NotAKey);
    }
}
