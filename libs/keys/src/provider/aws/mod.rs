//! AWS KMS: the key-encryption key is wrapped by a key that does not leave KMS.
//!
//! Every version is bound to an encryption context, so that it opens as nothing else, and AWS CloudTrail tells what was
//! asked. The credentials need `kms:Encrypt` and `kms:Decrypt` for the key.
//!
//! <https://docs.aws.amazon.com/kms/latest/APIReference/Welcome.html>

mod credentials;
mod signing;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, fmt, path::PathBuf, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use countersign_core::{Clock, SecretBytes};
use countersign_http::Http;
use data_encoding::BASE64;
use http::{Request, Response, StatusCode};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{
    KeyProvider, ProviderError, ProviderKind,
    answer::{ask, body, client, decoded, is_away, parsed, told},
    safe_address,
};
use credentials::Credentials;
use signing::{Scope, signed};

const AWS: ProviderKind = ProviderKind::Aws;
const MEND: &str = "the credentials of keys.aws and at the policy of the key";

/// How AWS KMS is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AwsSettings {
    /// The region, such as `eu-west-1`.
    pub region: String,
    /// The key: its id, its ARN, or an alias (`alias/…`).
    pub key_id: String,
    /// Another address than the region's own: of a VPC endpoint, or with FIPS.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// The shared credentials file; without it, `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN` are
    /// read from the environment.
    #[serde(default)]
    pub credentials_file: Option<PathBuf>,
    /// Which profile of that file.
    #[serde(default = "default_profile")]
    pub profile: String,
    /// Certificates in PEM of authorities that are trusted besides those of the system.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
}

fn default_profile() -> String {
    "default".to_owned()
}

/// A key in AWS KMS.
pub(crate) struct Kms {
    settings: AwsSettings,
    endpoint: String,
    http: Http,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for Kms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kms").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// What wrapping and unwrapping take.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Question<'a> {
    key_id: &'a str,
    encryption_context: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plaintext: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ciphertext_blob: Option<&'a str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Ciphertext {
    ciphertext_blob: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Plaintext {
    plaintext: String,
}

#[derive(Default, Deserialize)]
struct Refusal {
    #[serde(default, rename = "__type")]
    kind: String,
    #[serde(default, alias = "Message")]
    message: String,
}

impl Kms {
    pub(crate) fn new(
        settings: &AwsSettings,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ProviderError> {
        let AwsSettings { region, key_id, endpoint, ca_file, .. } = settings;
        let wrong = |field, what: &str| ProviderError::Settings { field, what: what.to_owned() };
        let is_region = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if region.is_empty() || !region.chars().all(is_region) {
            return Err(wrong("keys.aws.region", "it is not a region such as eu-west-1"));
        }
        if key_id.is_empty() {
            return Err(wrong("keys.aws.key_id", "it is empty: say the key's id, ARN or alias"));
        }
        let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        let endpoint = endpoint.clone().unwrap_or_else(|| format!("https://kms.{region}.{suffix}"));
        safe_address("keys.aws.endpoint", &endpoint)?;
        let http = client("keys.aws.ca_file", ca_file.as_deref())?;
        let endpoint = format!("{}/", endpoint.trim_end_matches('/'));
        Ok(Self { settings: settings.clone(), endpoint, http, clock })
    }

    fn question<'a>(&'a self, version: u32) -> Question<'a> {
        let context = BTreeMap::from([
            ("countersign", "key-encryption key".to_owned()),
            ("version", version.to_string()),
        ]);
        Question {
            key_id: &self.settings.key_id,
            encryption_context: context,
            plaintext: None,
            ciphertext_blob: None,
        }
    }

    async fn asked(
        &self,
        operation: &str,
        question: &Question<'_>,
    ) -> Result<Response<Bytes>, ProviderError> {
        let AwsSettings { region, credentials_file, profile, .. } = &self.settings;
        let credentials = Credentials::load(credentials_file.as_deref(), profile)?;
        let request = Request::post(self.endpoint.as_str())
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", format!("TrentService.{operation}"))
            .body(body(question))
            .map_err(|_| ProviderError::Settings {
                field: "keys.aws.endpoint",
                what: "it is not a URL".to_owned(),
            })?;
        let scope = Scope { region, service: "kms", now: self.clock.now() };
        let request = signed(request, &credentials, &scope)?;
        let answer = ask(&self.http, AWS, request).await?;
        if answer.status() == StatusCode::OK {
            Ok(answer)
        } else {
            Err(refused(&answer, &credentials))
        }
    }
}

/// Says what an answer means that is none.
/// <https://docs.aws.amazon.com/kms/latest/APIReference/CommonErrors.html> and the errors of `Encrypt` and `Decrypt`.
fn refused(answer: &Response<Bytes>, credentials: &Credentials) -> ProviderError {
    let status = answer.status();
    let refusal = serde_json::from_slice::<Refusal>(answer.body()).unwrap_or_default();
    let kind = refusal.kind.rsplit('#').next().unwrap_or_default();
    let what = told(&format!("{kind} {}", refusal.message), &credentials.secrets());
    match kind {
        "AccessDeniedException"
        | "AccessDenied"
        | "DisabledException"
        | "ExpiredTokenException"
        | "IncompleteSignature"
        | "InvalidClientTokenId"
        | "InvalidSignatureException"
        | "KMSInvalidStateException"
        | "MissingAuthenticationToken"
        | "NotAuthorized"
        | "OptInRequired"
        | "RequestExpired"
        | "SignatureDoesNotMatch"
        | "UnrecognizedClientException" => {
            ProviderError::Forbidden { provider: AWS, what, mend: MEND }
        }
        "IncorrectKeyException"
        | "InvalidCiphertextException"
        | "InvalidKeyUsageException"
        | "InvalidArnException"
        | "NotFoundException" => ProviderError::WrongKey { provider: AWS, what },
        "DependencyTimeoutException"
        | "KMSInternalException"
        | "KeyUnavailableException"
        | "ThrottlingException"
        | "LimitExceededException" => ProviderError::Away { provider: AWS, what },
        _ if is_away(status) => {
            ProviderError::Away { provider: AWS, what: format!("{status}: {what}") }
        }
        _ if matches!(status, StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED) => {
            ProviderError::Forbidden { provider: AWS, what, mend: MEND }
        }
        _ => ProviderError::Malformed { provider: AWS, what: format!("{status}: {what}") },
    }
}

#[async_trait]
impl KeyProvider for Kms {
    fn kind(&self) -> ProviderKind {
        AWS
    }

    async fn wrap(
        &self,
        version: u32,
        key: &SecretBytes,
    ) -> Result<Zeroizing<Vec<u8>>, ProviderError> {
        let plaintext = Zeroizing::new(BASE64.encode(key.expose()));
        let question = Question { plaintext: Some(&plaintext), ..self.question(version) };
        let answer = self.asked("Encrypt", &question).await?;
        let Ciphertext { ciphertext_blob } = parsed(AWS, answer)?;
        decoded(AWS, ciphertext_blob)
    }

    async fn unwrap(&self, version: u32, held: &[u8]) -> Result<SecretBytes, ProviderError> {
        let blob = BASE64.encode(held);
        let question = Question { ciphertext_blob: Some(&blob), ..self.question(version) };
        let answer = self.asked("Decrypt", &question).await?;
        let Plaintext { plaintext } = parsed(AWS, answer)?;
        Ok(SecretBytes::new(std::mem::take(&mut *decoded(AWS, plaintext)?)))
    }
}
