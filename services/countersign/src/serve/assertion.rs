//! Signed statements of proofs: JWTs (RFC 7519) that platforms and resource servers check without asking us.

use std::{error::Error, fmt, sync::Arc, time::Duration};

use countersign_challenge::{AssertionSigner, Claims};
use countersign_keys::AssertionKey;
use data_encoding::BASE64URL_NOPAD;
use serde::Serialize;

/// How long a statement may be used: long enough for a redirect, too short to be worth stealing.
const VALID_FOR: Duration = Duration::from_secs(5 * 60);

/// Signs with the installation's key.
pub struct JwsSigner {
    key: Arc<AssertionKey>,
    issuer: String,
    /// The header, encoded: the same for every statement.
    header: String,
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
    /// Signs with `key` for `issuer`, a URL without a slash at its end.
    #[must_use]
    pub fn new(key: Arc<AssertionKey>, issuer: String) -> Self {
        let header = Header { alg: key.algorithm(), kid: key.kid(), typ: "JWT" };
        // Three plain strings: serialising them cannot fail.
        let header = serde_json::to_vec(&header).unwrap_or_default();
        Self { header: BASE64URL_NOPAD.encode(&header), key, issuer }
    }
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
        let mut token = self.header.clone();
        token.push('.');
        BASE64URL_NOPAD.encode_append(&serde_json::to_vec(&body)?, &mut token);
        let signature = self.key.sign(token.as_bytes())?;
        token.push('.');
        BASE64URL_NOPAD.encode_append(&signature, &mut token);
        Ok(token)
    }

    fn jwks(&self) -> String {
        self.key.jwks()
    }

    fn issuer(&self, tenant: &str) -> String {
        format!("{}/{tenant}", self.issuer)
    }
}
