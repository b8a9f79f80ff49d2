//! Public keys as JSON (RFC 7517): on P-256 (RFC 7518 section 6.2) and Ed25519 (RFC 8037 section 2).

use data_encoding::BASE64URL_NOPAD;

use super::AssertionAlgorithm;

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Jwk {
    /// A point on P-256.
    P256 {
        /// Its first coordinate in base 64.
        x: String,
        /// Its second coordinate in base 64.
        y: String,
    },
    /// A key of Ed25519.
    Ed25519 {
        /// All of it in base 64.
        x: String,
    },
}

impl Jwk {
    /// Takes an uncompressed point on P-256 (SEC 1 section 2.3.3: 04, then both coordinates), or the 32 bytes of a key of
    /// Ed25519 (RFC 8032 section 5.1.5).
    pub(crate) fn of(algorithm: AssertionAlgorithm, public: &[u8]) -> Option<Self> {
        match algorithm {
            AssertionAlgorithm::Es256 => {
                let coordinates = public.strip_prefix(&[4])?;
                if coordinates.len() != 64 {
                    return None;
                }
                let (x, y) = coordinates.split_at(32);
                Some(Self::P256 { x: BASE64URL_NOPAD.encode(x), y: BASE64URL_NOPAD.encode(y) })
            }
            AssertionAlgorithm::EdDsa => {
                (public.len() == 32).then(|| Self::Ed25519 { x: BASE64URL_NOPAD.encode(public) })
            }
        }
    }

    /// Returns the required members in the order of their names, as JSON without its braces. Base 64 needs no escaping.
    fn members(&self) -> String {
        match self {
            Self::P256 { x, y } => format!(r#""crv":"P-256","kty":"EC","x":"{x}","y":"{y}""#),
            Self::Ed25519 { x } => format!(r#""crv":"Ed25519","kty":"OKP","x":"{x}""#),
        }
    }

    /// Hashes the required members (RFC 7638 section 3, RFC 8037 appendix A.3).
    pub(crate) fn thumbprint(&self) -> String {
        let members = format!("{{{}}}", self.members());
        BASE64URL_NOPAD.encode(&countersign_crypto::sha256(members.as_bytes()))
    }

    /// Returns the key with what it is for.
    pub(crate) fn json(&self, kid: &str, algorithm: AssertionAlgorithm) -> String {
        let members = self.members();
        format!(r#"{{"use":"sig","alg":"{}","kid":"{kid}",{members}}}"#, algorithm.name())
    }
}

/// Returns a JWK set (RFC 7517 section 5).
pub(crate) fn set<'a>(keys: impl IntoIterator<Item = &'a str>) -> String {
    let keys: Vec<_> = keys.into_iter().collect();
    format!(r#"{{"keys":[{}]}}"#, keys.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_thumbprints_of_the_standards_examples_are_what_others_compute() {
        // The key of RFC 7517 appendix A.1.
        let x = "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4".to_owned();
        let y = "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM".to_owned();
        let thumbprint = Jwk::P256 { x, y }.thumbprint();
        assert_eq!(thumbprint, "cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s");
        // RFC 8037 appendix A.3.
        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo".to_owned();
        let thumbprint = Jwk::Ed25519 { x }.thumbprint();
        assert_eq!(thumbprint, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn a_public_key_that_is_compressed_or_short_is_not_taken() {
        let (es256, eddsa) = (AssertionAlgorithm::Es256, AssertionAlgorithm::EdDsa);
        assert!(Jwk::of(es256, &[2; 33]).is_none());
        assert!(Jwk::of(es256, &[4; 64]).is_none());
        assert!(Jwk::of(es256, &[4; 65]).is_some());
        assert!(Jwk::of(eddsa, &[4; 31]).is_none());
        assert!(Jwk::of(eddsa, &[4; 32]).is_some());
    }
}
