//! A public key on P-256 as JSON (RFC 7517, RFC 7518 section 6.2).

use data_encoding::BASE64URL_NOPAD;

/// A public key on P-256.
pub(crate) struct Jwk {
    x: String,
    y: String,
}

impl Jwk {
    /// Takes an uncompressed point (SEC 1 section 2.3.3): 04, then both coordinates.
    pub(crate) fn of_point(point: &[u8]) -> Option<Self> {
        let coordinates = point.strip_prefix(&[4])?;
        if coordinates.len() != 64 {
            return None;
        }
        let (x, y) = coordinates.split_at(32);
        Some(Self { x: BASE64URL_NOPAD.encode(x), y: BASE64URL_NOPAD.encode(y) })
    }

    /// Hashes the required members in the order of their names (RFC 7638 section 3).
    pub(crate) fn thumbprint(&self) -> String {
        let Self { x, y } = self;
        let members = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
        BASE64URL_NOPAD.encode(&countersign_crypto::sha256(members.as_bytes()))
    }

    /// Returns a JWK set with this key alone. Base 64 needs no escaping.
    pub(crate) fn set(&self, kid: &str, algorithm: &str) -> String {
        let Self { x, y } = self;
        format!(
            r#"{{"keys":[{{"kty":"EC","use":"sig","alg":"{algorithm}","kid":"{kid}","crv":"P-256","x":"{x}","y":"{y}"}}]}}"#
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_thumbprint_of_the_standards_example_is_what_others_compute() {
        // The key of RFC 7517 appendix A.1.
        let x = "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4".to_owned();
        let y = "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM".to_owned();
        assert_eq!(Jwk { x, y }.thumbprint(), "cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s");
    }

    #[test]
    fn a_point_that_is_compressed_or_short_is_not_taken() {
        assert!(Jwk::of_point(&[2; 33]).is_none());
        assert!(Jwk::of_point(&[4; 64]).is_none());
        assert!(Jwk::of_point(&[4; 65]).is_some());
    }
}
