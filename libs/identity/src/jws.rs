//! A signed token taken apart: the compact serialisation of JWS (RFC 7515 section 7.1).

use std::fmt;

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Map, Value};

use crate::{TokenError, algorithm::Algorithm, json};

/// Longest token that is read, in bytes. Those of usual issuers have 1 to 3 KiB, and servers take 8 KiB of headers.
pub(crate) const LONGEST: usize = 8 * 1024;

/// A token in its parts, of which nothing is verified.
pub(crate) struct Jws<'a> {
    pub(crate) algorithm: Algorithm,
    pub(crate) kid: Option<String>,
    pub(crate) typ: Option<String>,
    pub(crate) claims: Map<String, Value>,
    /// What the signature is over.
    pub(crate) signed: &'a str,
    pub(crate) signature: Vec<u8>,
}

/// What it says is about people, and not for logs.
impl fmt::Debug for Jws<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jws").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

impl<'a> Jws<'a> {
    /// Takes a token apart. Of the header only what is needed is looked at: keys and addresses of keys in it (`jwk`, `jku`,
    /// `x5c`, `x5u`) are the word of whoever wrote it (RFC 8725 section 3.10).
    pub(crate) fn parse(token: &'a str) -> Result<Self, TokenError> {
        if token.len() > LONGEST {
            return Err(TokenError::TooLarge);
        }
        let parts: Vec<&str> = token.split('.').take(6).collect();
        let [header, claims, signature] = parts.as_slice() else {
            // Five parts are an encrypted token (RFC 7516 section 9).
            return Err(if parts.len() == 5 {
                TokenError::Encrypted
            } else {
                TokenError::Malformed
            });
        };
        let signed = token.get(..header.len() + 1 + claims.len()).ok_or(TokenError::Malformed)?;
        let header = object(header)?;
        check_kind(&header)?;
        let name = text(&header, "alg")?.ok_or(TokenError::Malformed)?;
        Ok(Self {
            algorithm: name.parse().map_err(|_| TokenError::AlgorithmNotAllowed)?,
            kid: text(&header, "kid")?,
            typ: text(&header, "typ")?,
            claims: object(claims)?,
            signed,
            signature: decode(signature)?,
        })
    }
}

fn check_kind(header: &Map<String, Value>) -> Result<(), TokenError> {
    if header.contains_key("crit") {
        return Err(TokenError::CriticalExtension);
    }
    if header.contains_key("enc") {
        return Err(TokenError::Encrypted);
    }
    match text(header, "cty")? {
        Some(cty) if is_media_type(&cty, "JWT") => Err(TokenError::Nested),
        Some(_) | None => Ok(()),
    }
}

/// Compares media types, of which the beginning `application/` may be left out (RFC 7515 section 4.1.9).
pub(crate) fn is_media_type(text: &str, expected: &str) -> bool {
    let short = |text: &str| {
        let lower = text.to_ascii_lowercase();
        lower.strip_prefix("application/").map(str::to_owned).unwrap_or(lower)
    };
    short(text) == short(expected)
}

/// Decodes base64url as a token has it: no padding, no other letters, and no bits left over, so that one signature has one
/// spelling (RFC 7515 section 2).
fn decode(part: &str) -> Result<Vec<u8>, TokenError> {
    BASE64URL_NOPAD.decode(part.as_bytes()).map_err(|_| TokenError::Malformed)
}

fn object(part: &str) -> Result<Map<String, Value>, TokenError> {
    json::object(&decode(part)?).map_err(|_| TokenError::Malformed)
}

fn text(header: &Map<String, Value>, name: &str) -> Result<Option<String>, TokenError> {
    match header.get(name) {
        None => Ok(None),
        Some(value) => {
            value.as_str().map(|text| Some(text.to_owned())).ok_or(TokenError::Malformed)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn token(header: &str, claims: &str) -> String {
        let encode = |text: &str| BASE64URL_NOPAD.encode(text.as_bytes());
        format!("{}.{}.{}", encode(header), encode(claims), encode("signature"))
    }

    fn error_of(token: &str) -> TokenError {
        Jws::parse(token).unwrap_err()
    }

    #[test]
    fn a_token_is_taken_apart() {
        let token = token(
            r#"{"alg":"ES256","kid":"k","typ":"at+jwt","jku":"https://evil.example"}"#,
            r#"{"a":1}"#,
        );
        let parsed = Jws::parse(&token).unwrap();
        assert_eq!((parsed.algorithm, parsed.kid.as_deref()), (Algorithm::Es256, Some("k")));
        assert_eq!(parsed.typ.as_deref(), Some("at+jwt"));
        assert_eq!(parsed.claims["a"], 1);
        assert_eq!(format!("{}.{}", parsed.signed, BASE64URL_NOPAD.encode(b"signature")), token);
        assert_eq!(parsed.signature, b"signature");
    }

    #[test]
    fn other_numbers_of_parts_than_three_are_refused() {
        for text in ["", ".", "a", "a.b", "a.b.c.d", "a.b.c.d.e.f", "..", "...", &".".repeat(8000)]
        {
            assert_eq!(error_of(text), TokenError::Malformed, "{text}");
        }
        assert_eq!(error_of("a.b.c.d.e"), TokenError::Encrypted);
        let valid = token(r#"{"alg":"ES256"}"#, "{}");
        assert_eq!(error_of(&format!("{valid}.")), TokenError::Malformed);
    }

    #[test]
    fn a_token_that_is_too_long_is_not_read() {
        assert_eq!(error_of(&"a".repeat(LONGEST + 1)), TokenError::TooLarge);
        assert_eq!(error_of(&"a".repeat(LONGEST)), TokenError::Malformed);
    }

    #[test]
    fn one_token_has_one_spelling() {
        let valid = token(r#"{"alg":"ES256"}"#, "{}");
        assert!(Jws::parse(&valid).is_ok());
        let (start, _) = valid.rsplit_once('.').unwrap();
        // "YQ" is "a"; the others have bits left over, padding, or letters of the other alphabet and of none.
        assert!(Jws::parse(&format!("{start}.YQ")).is_ok());
        for signature in ["YR", "YQ==", "YQ=", "Y", "-_+/", "Y Q", "YQ\n", "ÄÖ"] {
            assert_eq!(
                error_of(&format!("{start}.{signature}")),
                TokenError::Malformed,
                "{signature}"
            );
        }
    }

    #[test]
    fn nothing_that_changes_what_a_token_means_is_passed_over() {
        let error = |header: &str| error_of(&token(header, "{}"));
        assert_eq!(
            error(r#"{"alg":"ES256","crit":["b64"],"b64":false}"#),
            TokenError::CriticalExtension
        );
        assert_eq!(error(r#"{"alg":"ES256","crit":[]}"#), TokenError::CriticalExtension);
        for cty in ["JWT", "jwt", "application/jwt", "Application/JWT"] {
            assert_eq!(error(&format!(r#"{{"alg":"ES256","cty":"{cty}"}}"#)), TokenError::Nested);
        }
        assert_eq!(error(r#"{"alg":"RSA-OAEP","enc":"A256GCM"}"#), TokenError::Encrypted);
        assert_eq!(error(r#"{"alg":"dir","enc":"A256GCM"}"#), TokenError::Encrypted);
    }

    #[test]
    fn a_header_that_makes_no_sense_is_refused() {
        for header in [
            "{}",
            "[]",
            "",
            r#"{"alg":1}"#,
            r#"{"alg":null}"#,
            r#"{"alg":["ES256"]}"#,
            r#"{"alg":"ES256","kid":1}"#,
            r#"{"alg":"ES256","typ":{}}"#,
            r#"{"alg":"ES256","cty":1}"#,
            r#"{"alg":"none","alg":"ES256"}"#,
        ] {
            assert_eq!(error_of(&token(header, "{}")), TokenError::Malformed, "{header}");
        }
    }

    #[test]
    fn what_is_not_signed_by_a_key_pair_is_refused() {
        for alg in [
            "none", "None", "NONE", "nOnE", "", "HS256", "hs256", "es256", "ES256 ", "ES512", "dir",
        ] {
            let error = error_of(&token(&format!(r#"{{"alg":"{alg}"}}"#), "{}"));
            assert_eq!(error, TokenError::AlgorithmNotAllowed, "{alg}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken_apart_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            crate::read_unverified(&bytes);
        }

        #[test]
        fn any_header_and_claims_are_taken_apart_or_refused(header in ".{0,80}", claims in ".{0,80}") {
            Jws::parse(&token(&header, &claims)).ok();
        }
    }
}
