//! Signed statements of proofs: JWTs (RFC 7519) that platforms and resource servers check without asking us.

use std::{error::Error, fmt, time::Duration};

use countersign_challenge::{AssertionSigner, Claims};
use countersign_keys::{AssertionKey, AssertionKeys};
use data_encoding::BASE64URL_NOPAD;
use serde::Serialize;

/// How long a statement may be used: long enough for a redirect, too short to be worth stealing.
pub(super) const VALID_FOR: Duration = Duration::from_secs(5 * 60);

/// Signs with the installation's keys.
pub struct JwsSigner {
    keys: AssertionKeys,
    issuer: String,
}

impl fmt::Debug for JwsSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwsSigner").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

/// RFC 7515 section 4.1.
#[derive(Serialize)]
struct Header<'a> {
    alg: &'a str,
    kid: &'a str,
    typ: &'a str,
}

/// RFC 7519 section 4.1 and OpenID Connect Core section 2.
#[derive(Serialize)]
struct Body<'a> {
    iss: &'a str,
    sub: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    aud: &'a str,
    jti: &'a str,
    iat: i64,
    exp: i64,
    auth_time: i64,
    acr: &'a str,
    amr: &'a [String],
}

impl JwsSigner {
    /// Signs with the one of `keys` that signs at the time, for `issuer`, a URL without a slash at its end.
    #[must_use]
    pub const fn new(keys: AssertionKeys, issuer: String) -> Self {
        Self { keys, issuer }
    }
}

/// Returns the header of a statement, encoded: it names the key that signs.
fn header(key: &AssertionKey) -> Result<String, serde_json::Error> {
    let header = Header { alg: key.algorithm(), kid: key.kid(), typ: "JWT" };
    Ok(BASE64URL_NOPAD.encode(&serde_json::to_vec(&header)?))
}

impl AssertionSigner for JwsSigner {
    fn sign(&self, claims: &Claims<'_>) -> Result<String, Box<dyn Error + Send + Sync>> {
        let body = Body {
            iss: &self.issuer(claims.tenant),
            sub: claims.user_id,
            aud: claims.application_id,
            jti: &claims.challenge_id,
            // When the proof was given, not when this is signed: a repeated request is told the same.
            iat: claims.auth_time.unix_seconds(),
            exp: claims.auth_time.plus(VALID_FOR).unix_seconds(),
            auth_time: claims.auth_time.unix_seconds(),
            acr: claims.acr,
            amr: claims.amr,
        };
        // Taken once: it may be another one in a moment.
        let key = self.keys.signing()?;
        let mut token = header(&key)?;
        token.push('.');
        BASE64URL_NOPAD.encode_append(&serde_json::to_vec(&body)?, &mut token);
        let signature = key.sign(token.as_bytes())?;
        token.push('.');
        BASE64URL_NOPAD.encode_append(&signature, &mut token);
        Ok(token)
    }

    fn jwks(&self) -> String {
        self.keys.jwks()
    }

    fn issuer(&self, tenant: &str) -> String {
        format!("{}/{tenant}", self.issuer)
    }
}
