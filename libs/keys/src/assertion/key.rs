//! One key that signs: ES256 (ECDSA on P-256 with SHA-256, RFC 7518 section 3.4) or `EdDSA` (Ed25519, RFC 8037).

use std::fmt;

use countersign_core::SecretBytes;
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _},
};
use serde::{Deserialize, Serialize};

use super::jwk::{self, Jwk};

/// Why nothing was signed: the operating system gave no random bytes. Try again later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signing key cannot be used")]
pub struct SignError;

/// Why bytes are no signing key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no signing key for its algorithm")]
pub(crate) struct NotAKey;

/// How statements are signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum AssertionAlgorithm {
    /// ECDSA on P-256 with SHA-256, which everyone can check.
    #[default]
    #[serde(rename = "ES256")]
    Es256,
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
}

impl AssertionAlgorithm {
    /// Returns its name in a JWS (RFC 7518 section 3.1, RFC 8037 section 3.1).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }

    /// Returns what stands for it in the file.
    pub(crate) const fn byte(self) -> u8 {
        match self {
            Self::Es256 => 1,
            Self::EdDsa => 2,
        }
    }

    pub(crate) const fn of(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Es256),
            2 => Some(Self::EdDsa),
            _ => None,
        }
    }
}

/// A key that signs, with its public part as others need it to check.
pub struct AssertionKey {
    pair: Pair,
    random: SystemRandom,
    algorithm: AssertionAlgorithm,
    kid: String,
    json: String,
}

enum Pair {
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
}

impl fmt::Debug for AssertionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AssertionKey({})", self.kid)
    }
}

impl AssertionKey {
    /// Draws a key, as a PKCS#8 document (RFC 5958). The randomness is the operating system's: the signing library
    /// takes no other.
    pub(crate) fn generate(algorithm: AssertionAlgorithm) -> Result<SecretBytes, SignError> {
        let random = SystemRandom::new();
        let document = match algorithm {
            AssertionAlgorithm::Es256 => {
                EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)
            }
            AssertionAlgorithm::EdDsa => Ed25519KeyPair::generate_pkcs8(&random),
        };
        document.map(|document| SecretBytes::new(document.as_ref().to_vec())).map_err(|_| SignError)
    }

    /// Takes a key from its PKCS#8 document.
    pub(crate) fn from_pkcs8(
        algorithm: AssertionAlgorithm,
        document: &[u8],
    ) -> Result<Self, NotAKey> {
        let random = SystemRandom::new();
        let (pair, jwk) = match algorithm {
            AssertionAlgorithm::Es256 => {
                let pair =
                    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document, &random)
                        .map_err(|_| NotAKey)?;
                let jwk = Jwk::of(algorithm, pair.public_key().as_ref());
                (Pair::Es256(pair), jwk)
            }
            AssertionAlgorithm::EdDsa => {
                let pair = Ed25519KeyPair::from_pkcs8(document).map_err(|_| NotAKey)?;
                let jwk = Jwk::of(algorithm, pair.public_key().as_ref());
                (Pair::EdDsa(pair), jwk)
            }
        };
        let jwk = jwk.ok_or(NotAKey)?;
        let kid = jwk.thumbprint();
        Ok(Self { pair, random, algorithm, json: jwk.json(&kid, algorithm), kid })
    }

    /// Signs `message`: 64 bytes, as a JWS wants it (RFC 7518 section 3.4: R and S; RFC 8037 section 3.1).
    ///
    /// # Errors
    /// Says that the operating system gives no random bytes.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        match &self.pair {
            Pair::Es256(pair) => {
                let signature = pair.sign(&self.random, message).map_err(|_| SignError)?;
                Ok(signature.as_ref().to_vec())
            }
            Pair::EdDsa(pair) => Ok(pair.sign(message).as_ref().to_vec()),
        }
    }

    /// Returns the key's id: the thumbprint of its public part (RFC 7638).
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Returns the algorithm's name in a JWS.
    #[must_use]
    pub const fn algorithm(&self) -> &'static str {
        self.algorithm.name()
    }

    /// Returns the public key that checks what this one signs, as JSON (RFC 7517 section 4).
    pub(crate) fn json(&self) -> &str {
        &self.json
    }

    /// Returns the public key as a JWK set of its own. All that are published: [`AssertionKeys`](super::AssertionKeys).
    #[must_use]
    pub fn jwks(&self) -> String {
        jwk::set([self.json()])
    }
}

#[cfg(test)]
mod tests {
    use data_encoding::BASE64URL_NOPAD;
    use ring::signature::{
        ECDSA_P256_SHA256_FIXED, ED25519, UnparsedPublicKey, VerificationAlgorithm,
    };

    use super::*;

    const BOTH: [AssertionAlgorithm; 2] = [AssertionAlgorithm::Es256, AssertionAlgorithm::EdDsa];

    fn key(algorithm: AssertionAlgorithm) -> AssertionKey {
        let document = AssertionKey::generate(algorithm).unwrap();
        AssertionKey::from_pkcs8(algorithm, document.expose()).unwrap()
    }

    /// Reads the public key from the JWK set, as a stranger would.
    fn shown(key: &AssertionKey) -> serde_json::Value {
        let set: serde_json::Value = serde_json::from_str(&key.jwks()).unwrap();
        let keys = set["keys"].as_array().unwrap();
        assert_eq!(keys.len(), 1);
        keys[0].clone()
    }

    fn public(jwk: &serde_json::Value) -> UnparsedPublicKey<Vec<u8>> {
        let member = |name: &str| BASE64URL_NOPAD.decode(jwk[name].as_str().unwrap().as_bytes());
        let is_ec = jwk["kty"] == "EC";
        let algorithm: &'static dyn VerificationAlgorithm =
            if is_ec { &ECDSA_P256_SHA256_FIXED } else { &ED25519 };
        let bytes = if is_ec {
            [vec![4], member("x").unwrap(), member("y").unwrap()].concat()
        } else {
            member("x").unwrap()
        };
        UnparsedPublicKey::new(algorithm, bytes)
    }

    #[test]
    fn a_signature_is_checked_with_the_key_that_is_shown() {
        for algorithm in BOTH {
            let key = key(algorithm);
            let signature = key.sign(b"header.payload").unwrap();
            assert_eq!(signature.len(), 64);
            let shown_key = public(&shown(&key));
            assert!(shown_key.verify(b"header.payload", &signature).is_ok());
            assert!(shown_key.verify(b"header.payloae", &signature).is_err());
            let other = public(&shown(&self::key(algorithm)));
            assert!(other.verify(b"header.payload", &signature).is_err());
        }
    }

    #[test]
    fn the_key_id_is_the_thumbprint_of_what_is_shown() {
        let es256 = key(AssertionAlgorithm::Es256);
        let jwk = shown(&es256);
        let canonical = format!(
            r#"{{"crv":{},"kty":{},"x":{},"y":{}}}"#,
            jwk["crv"], jwk["kty"], jwk["x"], jwk["y"]
        );
        let digest = ring::digest::digest(&ring::digest::SHA256, canonical.as_bytes());
        assert_eq!(es256.kid(), BASE64URL_NOPAD.encode(digest.as_ref()));
        assert_eq!((&jwk["kid"], &jwk["alg"]), (&es256.kid().into(), &"ES256".into()));
        assert_eq!(
            (&jwk["crv"], &jwk["kty"], &jwk["use"]),
            (&"P-256".into(), &"EC".into(), &"sig".into())
        );
        let eddsa = key(AssertionAlgorithm::EdDsa);
        let jwk = shown(&eddsa);
        assert_eq!((&jwk["kid"], &jwk["alg"]), (&eddsa.kid().into(), &"EdDSA".into()));
        assert_eq!(
            (&jwk["crv"], &jwk["kty"], &jwk["use"]),
            (&"Ed25519".into(), &"OKP".into(), &"sig".into())
        );
    }

    #[test]
    fn only_the_public_part_is_shown() {
        for (algorithm, members) in [
            (AssertionAlgorithm::Es256, &["alg", "crv", "kid", "kty", "use", "x", "y"][..]),
            (AssertionAlgorithm::EdDsa, &["alg", "crv", "kid", "kty", "use", "x"][..]),
        ] {
            let key = key(algorithm);
            let jwk = shown(&key);
            let mut names: Vec<_> = jwk.as_object().unwrap().keys().map(String::as_str).collect();
            names.sort_unstable();
            assert_eq!(names, members);
            assert_eq!(format!("{key:?}"), format!("AssertionKey({})", key.kid()));
        }
    }

    #[test]
    fn what_is_no_key_is_not_taken() {
        for algorithm in BOTH {
            assert_eq!(AssertionKey::from_pkcs8(algorithm, b"").unwrap_err(), NotAKey);
            let document = AssertionKey::generate(algorithm).unwrap();
            let short = document.expose().split_last().unwrap().1;
            assert_eq!(AssertionKey::from_pkcs8(algorithm, short).unwrap_err(), NotAKey);
            let other = BOTH.into_iter().find(|other| *other != algorithm).unwrap();
            assert_eq!(AssertionKey::from_pkcs8(other, document.expose()).unwrap_err(), NotAKey);
        }
    }
}
