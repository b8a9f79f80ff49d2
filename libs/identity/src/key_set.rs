//! The keys that an issuer publishes (RFC 7517 section 5).

use serde_json::Value;

use crate::{
    TokenError,
    json::{self, NotAnObject},
    jws::Jws,
    key::Key,
};

/// How many keys a set may have. Large issuers have about ten.
const MOST_KEYS: usize = 64;

/// Keys of one issuer.
#[derive(Debug, Default)]
pub(crate) struct KeySet {
    keys: Vec<Key>,
}

/// Why bytes are no set of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotAKeySet {
    #[error("is {0}")]
    Json(NotAnObject),
    #[error("has no list of keys")]
    NoList,
    #[error("has more than {MOST_KEYS} keys")]
    TooMany,
}

impl KeySet {
    /// Reads a set. Keys that cannot be used are passed over, as the specification wants it; a set of none is the word of
    /// an issuer that took its keys back.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, NotAKeySet> {
        let members = json::object(bytes).map_err(NotAKeySet::Json)?;
        let Some(Value::Array(list)) = members.get("keys") else { return Err(NotAKeySet::NoList) };
        if list.len() > MOST_KEYS {
            return Err(NotAKeySet::TooMany);
        }
        let mut keys = Vec::new();
        for item in list {
            match item.as_object().map(Key::from_jwk) {
                Some(Ok(key)) => keys.push(key),
                Some(Err(why)) => tracing::debug!(%why, "an issuer's key is passed over"),
                None => return Err(NotAKeySet::NoList),
            }
        }
        Ok(Self { keys })
    }

    /// Checks a token's signature with the key that it names. Only a set of one key needs no name for it, and a key under
    /// another name is never tried.
    pub(crate) fn verify(&self, token: &Jws<'_>) -> Result<(), TokenError> {
        let named: Vec<&Key> = match (&token.kid, self.keys.as_slice()) {
            (None, [_, _, ..]) => return Err(TokenError::KeyNotNamed),
            (None, keys) => keys.iter().collect(),
            (Some(kid), keys) => keys.iter().filter(|key| key.kid.as_ref() == Some(kid)).collect(),
        };
        if named.is_empty() {
            return Err(TokenError::UnknownKey);
        }
        // Keys of different kinds may share a name (RFC 7517 section 4.5).
        let fitting: Vec<_> = named.into_iter().filter(|key| key.fits(token.algorithm)).collect();
        if fitting.is_empty() {
            return Err(TokenError::AlgorithmNotAllowed);
        }
        let verifies =
            |key: &&Key| key.verifies(token.algorithm, token.signed.as_bytes(), &token.signature);
        if fitting.iter().any(verifies) { Ok(()) } else { Err(TokenError::BadSignature) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ED25519: &str =
        r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

    fn parse(keys: &[&str]) -> Result<KeySet, NotAKeySet> {
        KeySet::parse(format!(r#"{{"keys":[{}]}}"#, keys.join(",")).as_bytes())
    }

    #[test]
    fn keys_that_cannot_be_used_do_not_spoil_the_others() {
        let set = parse(&[r#"{"kty":"oct","k":"AA"}"#, ED25519, r#"{"kty":"new"}"#, "{}"]).unwrap();
        assert_eq!(set.keys.len(), 1);
    }

    #[test]
    fn a_set_of_no_keys_is_one() {
        assert!(parse(&[]).unwrap().keys.is_empty());
    }

    #[test]
    fn what_is_no_set_is_refused() {
        for text in [r#"{}"#, r#"{"keys":{}}"#, r#"{"keys":["a"]}"#, r#"{"keys":[null]}"#] {
            assert_eq!(KeySet::parse(text.as_bytes()).unwrap_err(), NotAKeySet::NoList, "{text}");
        }
        for text in ["", "<html>", "[]", r#"{"keys":[],"keys":[]}"#] {
            assert_eq!(KeySet::parse(text.as_bytes()).unwrap_err(), NotAKeySet::Json(NotAnObject));
        }
        assert!(parse(&[ED25519; MOST_KEYS]).is_ok());
        assert_eq!(parse(&[ED25519; MOST_KEYS + 1]).unwrap_err(), NotAKeySet::TooMany);
    }
}
