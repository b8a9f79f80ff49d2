//! One public key of an issuer (RFC 7517 section 4), and what it verifies.

use data_encoding::BASE64URL_NOPAD;
use ring::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm};
use serde_json::{Map, Value};

use crate::algorithm::Algorithm;

/// How many bits the modulus of an RSA key has: at least those of RFC 7518 section 3.3 and NIST SP 800-131A revision 2
/// section 3, and at most as many as can be checked in a reasonable time.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// A key that verifies signatures.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) kid: Option<String>,
    /// The only algorithm that it is for, if it says so.
    algorithm: Option<Algorithm>,
    material: Material,
}

#[derive(Debug)]
enum Material {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

/// Why a key of a set is passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unfit {
    #[error("it is not for signatures")]
    OtherUse,
    #[error("its kind or algorithm is not known here")]
    UnknownKind,
    #[error("it is an RSA key of fewer than 2048 or more than 8192 bits")]
    Size,
    #[error("its private part is published with it")]
    Private,
    #[error("it is damaged")]
    Damaged,
}

impl Key {
    /// Takes a key from its JWK. Its certificates (`x5c`) are not looked at: the set came from the issuer itself.
    pub(crate) fn from_jwk(jwk: &Map<String, Value>) -> Result<Self, Unfit> {
        // Whoever reads the set could sign with it.
        if jwk.contains_key("d") || jwk.contains_key("k") {
            return Err(Unfit::Private);
        }
        check_use(jwk)?;
        let algorithm = match text(jwk, "alg")? {
            None => None,
            Some(name) => Some(name.parse().map_err(|_| Unfit::UnknownKind)?),
        };
        let kid = text(jwk, "kid")?.map(str::to_owned);
        let key = Self { kid, algorithm, material: Material::from_jwk(jwk)? };
        match algorithm {
            Some(algorithm) if !key.fits(algorithm) => Err(Unfit::Damaged),
            Some(_) | None => Ok(key),
        }
    }

    /// Returns whether the key is for that algorithm: of its kind, and of its own choice if it has one (RFC 8725 section
    /// 3.1: a key is used with exactly one algorithm).
    pub(crate) fn fits(&self, algorithm: Algorithm) -> bool {
        self.algorithm.is_none_or(|own| own == algorithm) && self.material.is_for(algorithm)
    }

    /// Returns whether `signature` over `message` is this key's, by an algorithm that it is for.
    pub(crate) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        self.fits(algorithm) && self.material.verifies(algorithm, message, signature)
    }
}

impl Material {
    fn from_jwk(jwk: &Map<String, Value>) -> Result<Self, Unfit> {
        let curve = text(jwk, "crv")?;
        match (text(jwk, "kty")?, curve) {
            (Some("RSA"), _) => Self::rsa(number(jwk, "n")?, number(jwk, "e")?),
            (Some("EC"), Some("P-256")) => Ok(Self::P256(point(jwk, 32)?)),
            (Some("EC"), Some("P-384")) => Ok(Self::P384(point(jwk, 48)?)),
            (Some("OKP"), Some("Ed25519")) => Ok(Self::Ed25519(octets(jwk, "x", 32)?)),
            (Some(_), _) => Err(Unfit::UnknownKind),
            (None, _) => Err(Unfit::Damaged),
        }
    }

    fn rsa(n: Vec<u8>, e: Vec<u8>) -> Result<Self, Unfit> {
        let unused = n.first().map_or(0, |byte| byte.leading_zeros());
        let bits = (8 * n.len()).saturating_sub(unused as usize);
        if RSA_BITS.contains(&bits) { Ok(Self::Rsa { n, e }) } else { Err(Unfit::Size) }
    }

    const fn is_for(&self, algorithm: Algorithm) -> bool {
        use Algorithm::{EdDsa, Es256, Es384, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
        match algorithm {
            Rs256 | Rs384 | Rs512 | Ps256 | Ps384 | Ps512 => matches!(self, Self::Rsa { .. }),
            Es256 => matches!(self, Self::P256(_)),
            Es384 => matches!(self, Self::P384(_)),
            EdDsa => matches!(self, Self::Ed25519(_)),
        }
    }

    fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        let by = |how: &'static dyn VerificationAlgorithm, key: &Vec<u8>| {
            UnparsedPublicKey::new(how, key).verify(message, signature).is_ok()
        };
        match self {
            Self::Rsa { n, e } => rsa_parameters(algorithm).is_some_and(|parameters| {
                RsaPublicKeyComponents { n, e }.verify(parameters, message, signature).is_ok()
            }),
            // A JWS has R and S side by side (RFC 7518 section 3.4).
            Self::P256(point) => by(&signature::ECDSA_P256_SHA256_FIXED, point),
            Self::P384(point) => by(&signature::ECDSA_P384_SHA384_FIXED, point),
            Self::Ed25519(key) => by(&signature::ED25519, key),
        }
    }
}

fn rsa_parameters(algorithm: Algorithm) -> Option<&'static signature::RsaParameters> {
    match algorithm {
        Algorithm::Rs256 => Some(&signature::RSA_PKCS1_2048_8192_SHA256),
        Algorithm::Rs384 => Some(&signature::RSA_PKCS1_2048_8192_SHA384),
        Algorithm::Rs512 => Some(&signature::RSA_PKCS1_2048_8192_SHA512),
        Algorithm::Ps256 => Some(&signature::RSA_PSS_2048_8192_SHA256),
        Algorithm::Ps384 => Some(&signature::RSA_PSS_2048_8192_SHA384),
        Algorithm::Ps512 => Some(&signature::RSA_PSS_2048_8192_SHA512),
        Algorithm::Es256 | Algorithm::Es384 | Algorithm::EdDsa => None,
    }
}

/// Checks that the key is for signatures, as far as it says what it is for (RFC 7517 sections 4.2 and 4.3).
fn check_use(jwk: &Map<String, Value>) -> Result<(), Unfit> {
    if text(jwk, "use")?.is_some_and(|purpose| purpose != "sig") {
        return Err(Unfit::OtherUse);
    }
    match jwk.get("key_ops") {
        None => Ok(()),
        Some(Value::Array(operations)) if operations.iter().any(|one| one == "verify") => Ok(()),
        Some(Value::Array(_)) => Err(Unfit::OtherUse),
        Some(_) => Err(Unfit::Damaged),
    }
}

fn text<'a>(jwk: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, Unfit> {
    jwk.get(name).map(|value| value.as_str().ok_or(Unfit::Damaged)).transpose()
}

fn bytes(jwk: &Map<String, Value>, name: &str) -> Result<Vec<u8>, Unfit> {
    let text = text(jwk, name)?.ok_or(Unfit::Damaged)?;
    BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| Unfit::Damaged)
}

/// Reads a number without the zeros that some issuers put before it.
fn number(jwk: &Map<String, Value>, name: &str) -> Result<Vec<u8>, Unfit> {
    let bytes = bytes(jwk, name)?;
    Ok(bytes.into_iter().skip_while(|byte| *byte == 0).collect())
}

fn octets(jwk: &Map<String, Value>, name: &str, length: usize) -> Result<Vec<u8>, Unfit> {
    let bytes = bytes(jwk, name)?;
    if bytes.len() == length { Ok(bytes) } else { Err(Unfit::Damaged) }
}

/// Reads a point of a curve, uncompressed (SEC 1 section 2.3.3). Whether it is on the curve is seen when it is used.
fn point(jwk: &Map<String, Value>, length: usize) -> Result<Vec<u8>, Unfit> {
    Ok([vec![4], octets(jwk, "x", length)?, octets(jwk, "y", length)?].concat())
}

#[cfg(test)]
mod tests;
