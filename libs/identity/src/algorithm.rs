//! How tokens may be signed.

use std::{fmt, str::FromStr};

use serde::Deserialize;

/// An asymmetric signature algorithm of JWS (RFC 7518 section 3.1, RFC 8037 section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// RSASSA-PSS with SHA-384.
    Ps384,
    /// RSASSA-PSS with SHA-512.
    Ps512,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// Ed25519, under its old name `EdDSA` or under its own (RFC 9864 section 2.2).
    EdDsa,
}

/// Names as they stand in tokens; an algorithm's first one is how it is printed.
const NAMES: [(Algorithm, &str); 10] = [
    (Algorithm::Rs256, "RS256"),
    (Algorithm::Rs384, "RS384"),
    (Algorithm::Rs512, "RS512"),
    (Algorithm::Ps256, "PS256"),
    (Algorithm::Ps384, "PS384"),
    (Algorithm::Ps512, "PS512"),
    (Algorithm::Es256, "ES256"),
    (Algorithm::Es384, "ES384"),
    (Algorithm::EdDsa, "EdDSA"),
    (Algorithm::EdDsa, "Ed25519"),
];

/// Why a name is none of an algorithm that can be allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAllowed {
    /// Nothing is signed at all.
    #[error("must not be \"none\": such tokens are not signed")]
    None,
    /// The same key signs and verifies.
    #[error("must not be an HMAC: whoever can verify such tokens can forge them")]
    Symmetric,
    /// Nobody knows it.
    #[error("must be one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA")]
    Unknown,
}

impl FromStr for Algorithm {
    type Err = NotAllowed;

    /// Reads a name as it stands in tokens: letters count as they are (RFC 7515 section 4.1.1).
    fn from_str(name: &str) -> Result<Self, NotAllowed> {
        let found = NAMES.iter().find(|(_, known)| *known == name);
        found.map(|(algorithm, _)| *algorithm).ok_or_else(|| {
            if name.eq_ignore_ascii_case("none") {
                NotAllowed::None
            } else if name.to_ascii_uppercase().starts_with("HS") {
                NotAllowed::Symmetric
            } else {
                NotAllowed::Unknown
            }
        })
    }
}

impl TryFrom<String> for Algorithm {
    type Error = NotAllowed;

    fn try_from(name: String) -> Result<Self, NotAllowed> {
        name.parse()
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = NAMES.iter().find(|(known, _)| known == self).map_or("", |(_, name)| name);
        f.write_str(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_printed() {
        for (algorithm, name) in NAMES {
            assert_eq!(name.parse(), Ok(algorithm));
            assert!(name == "Ed25519" || algorithm.to_string() == name);
        }
    }

    #[test]
    fn a_name_is_read_letter_by_letter() {
        for name in ["rs256", "RS256 ", "Es256", "", "ES512", "ES256K", "EdDsa", "Ed448"] {
            assert_eq!(name.parse::<Algorithm>(), Err(NotAllowed::Unknown), "{name}");
        }
    }

    #[test]
    fn neither_none_nor_a_shared_secret_can_be_allowed() {
        for name in ["none", "None", "NONE", "nOnE"] {
            assert_eq!(name.parse::<Algorithm>(), Err(NotAllowed::None));
        }
        for name in ["HS256", "HS384", "HS512", "hs256"] {
            assert_eq!(name.parse::<Algorithm>(), Err(NotAllowed::Symmetric));
        }
    }
}
