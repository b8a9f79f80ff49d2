//! Vault Transit: the key-encryption key is wrapped by a key that does not leave Vault.
//!
//! The token is read anew for every request, so that an agent may renew it. Its policy needs `update` on
//! `{mount}/encrypt/{key}`, `{mount}/decrypt/{key}` and `{mount}/rewrap/{key}`, and nothing else. With `create`, Vault
//! would make a key that is not there.
//!
//! <https://developer.hashicorp.com/vault/api-docs/secret/transit>

#[cfg(test)]
mod tests;

use std::{fs, path::PathBuf};

use async_trait::async_trait;
use bytes::Bytes;
use countersign_core::{SecretBytes, SecretString};
use countersign_http::Http;
use data_encoding::BASE64;
use http::{HeaderValue, Request, Response, StatusCode};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{
    KeyProvider, ProviderError, ProviderKind,
    answer::{ask, body, client, decoded, is_away, parsed, told},
    safe_address,
};

const VAULT: ProviderKind = ProviderKind::Vault;
const MEND: &str = "the token in keys.vault.token_file and at its policy";

/// How Vault is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VaultSettings {
    /// Where Vault is, such as `https://vault.example.com:8200`.
    pub address: String,
    /// The name of the key in Transit.
    pub key: String,
    /// Where Transit is mounted.
    #[serde(default = "default_mount")]
    pub mount: String,
    /// The namespace, where there are any.
    #[serde(default)]
    pub namespace: Option<String>,
    /// The file with the token.
    pub token_file: PathBuf,
    /// Certificates in PEM of authorities that are trusted besides those of the system.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
}

fn default_mount() -> String {
    "transit".to_owned()
}

/// A key in Vault Transit.
#[derive(Debug)]
pub(crate) struct Transit {
    settings: VaultSettings,
    http: Http,
}

/// What wrapping, unwrapping and wrapping anew take.
#[derive(Serialize)]
struct Question<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    plaintext: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ciphertext: Option<&'a str>,
}

#[derive(Deserialize)]
struct Answer<T> {
    data: T,
}

#[derive(Deserialize)]
struct Ciphertext {
    ciphertext: String,
}

#[derive(Deserialize)]
struct Plaintext {
    plaintext: String,
}

#[derive(Default, Deserialize)]
struct Refusal {
    #[serde(default)]
    errors: Vec<String>,
}

impl Transit {
    pub(crate) fn new(settings: &VaultSettings) -> Result<Self, ProviderError> {
        safe_address("keys.vault.address", &settings.address)?;
        plain_path("keys.vault.mount", &settings.mount, true)?;
        plain_path("keys.vault.key", &settings.key, false)?;
        let http = client("keys.vault.ca_file", settings.ca_file.as_deref())?;
        Ok(Self { settings: settings.clone(), http })
    }

    fn token(&self) -> Result<SecretString, ProviderError> {
        let path = &self.settings.token_file;
        let wrong = |what: String| ProviderError::Settings { field: "keys.vault.token_file", what };
        let text = fs::read_to_string(path).map(Zeroizing::new);
        let text = text.map_err(|error| wrong(format!("{}: {error}", path.display())))?;
        match text.trim() {
            "" => Err(wrong(format!("{} is empty", path.display()))),
            token => Ok(SecretString::new(token.to_owned())),
        }
    }

    fn request(
        &self,
        operation: &str,
        token: &SecretString,
        question: &Question<'_>,
    ) -> Result<Request<Bytes>, ProviderError> {
        let VaultSettings { address, key, mount, namespace, .. } = &self.settings;
        let wrong = |field, what: &str| ProviderError::Settings { field, what: what.to_owned() };
        let header = |field, text: &str| {
            let value = HeaderValue::from_str(text);
            value.map_err(|_| wrong(field, "it has characters that no header has"))
        };
        let mut token = header("keys.vault.token_file", token.expose())?;
        token.set_sensitive(true);
        let url = format!("{}/v1/{mount}/{operation}/{key}", address.trim_end_matches('/'));
        let mut request = Request::post(url)
            .header("x-vault-token", token)
            .header("x-vault-request", "true")
            .header("content-type", "application/json");
        if let Some(namespace) = namespace {
            request =
                request.header("x-vault-namespace", header("keys.vault.namespace", namespace)?);
        }
        request.body(body(question)).map_err(|_| wrong("keys.vault.address", "it is not a URL"))
    }

    async fn asked(
        &self,
        operation: &str,
        question: &Question<'_>,
    ) -> Result<Response<Bytes>, ProviderError> {
        let token = self.token()?;
        let answer = ask(&self.http, VAULT, self.request(operation, &token, question)?).await?;
        if answer.status() == StatusCode::OK {
            return Ok(answer);
        }
        let refusal = serde_json::from_slice::<Refusal>(answer.body()).unwrap_or_default();
        let what = told(&refusal.errors.join("; "), &[token.expose()]);
        Err(match answer.status() {
            StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => {
                ProviderError::Forbidden { provider: VAULT, what, mend: MEND }
            }
            // Of a replica that serves nobody: 472 and 473.
            status if is_away(status) || matches!(status.as_u16(), 472 | 473) => {
                ProviderError::Away { provider: VAULT, what: format!("{status}: {what}") }
            }
            StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND => {
                ProviderError::WrongKey { provider: VAULT, what }
            }
            status => {
                ProviderError::Malformed { provider: VAULT, what: format!("status {status}") }
            }
        })
    }

    fn ciphertext(answer: Response<Bytes>) -> Result<Zeroizing<Vec<u8>>, ProviderError> {
        let Answer { data: Ciphertext { ciphertext } } = parsed(VAULT, answer)?;
        if ciphertext.starts_with("vault:v") {
            return Ok(Zeroizing::new(ciphertext.into_bytes()));
        }
        let what = "what it wrapped does not begin with vault:v".to_owned();
        Err(ProviderError::Malformed { provider: VAULT, what })
    }

    fn held(held: &[u8]) -> Result<&str, ProviderError> {
        std::str::from_utf8(held).map_err(|_| ProviderError::WrongKey {
            provider: VAULT,
            what: "the ring does not hold what Vault wraps".to_owned(),
        })
    }
}

#[async_trait]
impl KeyProvider for Transit {
    fn kind(&self) -> ProviderKind {
        VAULT
    }

    async fn wrap(&self, _: u32, key: &SecretBytes) -> Result<Zeroizing<Vec<u8>>, ProviderError> {
        let plaintext = Zeroizing::new(BASE64.encode(key.expose()));
        let question = Question { plaintext: Some(&plaintext), ciphertext: None };
        Self::ciphertext(self.asked("encrypt", &question).await?)
    }

    async fn unwrap(&self, _: u32, held: &[u8]) -> Result<SecretBytes, ProviderError> {
        let question = Question { plaintext: None, ciphertext: Some(Self::held(held)?) };
        let answer = self.asked("decrypt", &question).await?;
        let Answer { data: Plaintext { plaintext } } = parsed(VAULT, answer)?;
        Ok(SecretBytes::new(std::mem::take(&mut *decoded(VAULT, plaintext)?)))
    }

    /// Vault does it itself, and nobody sees the key meanwhile.
    async fn rewrap(&self, _: u32, held: &[u8]) -> Result<Zeroizing<Vec<u8>>, ProviderError> {
        let question = Question { plaintext: None, ciphertext: Some(Self::held(held)?) };
        Self::ciphertext(self.asked("rewrap", &question).await?)
    }
}

/// Looks whether a setting may stand in a URL's path as it is.
fn plain_path(field: &'static str, text: &str, has_slashes: bool) -> Result<(), ProviderError> {
    let plain = |part: &str| {
        !part.is_empty()
            && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
            && part.chars().any(|c| c != '.')
    };
    let is_plain = if has_slashes { text.split('/').all(plain) } else { plain(text) };
    let what = "only letters, digits, `-`, `_` and `.` may be in it".to_owned();
    if is_plain { Ok(()) } else { Err(ProviderError::Settings { field, what }) }
}
