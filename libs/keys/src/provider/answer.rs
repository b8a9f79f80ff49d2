//! Reading the answers of providers that speak JSON over HTTP.

use bytes::Bytes;
use countersign_http::{Http, HttpSettings};
use data_encoding::BASE64;
use http::{Request, Response, StatusCode};
use serde::{Serialize, de::DeserializeOwned};
use zeroize::{Zeroize as _, Zeroizing};

use super::{ProviderError, ProviderKind};

/// So much of what a service says about an error is told.
const TOLD: usize = 200;
/// No request comes near.
const ROOM: usize = 16 * 1024;

/// Makes the client, which trusts the authorities in `ca_file` too.
pub(super) fn client(
    field: &'static str,
    ca_file: Option<&std::path::Path>,
) -> Result<Http, ProviderError> {
    let settings = HttpSettings {
        extra_roots: ca_file.map(std::path::Path::to_owned),
        ..HttpSettings::default()
    };
    Http::new(&settings).map_err(|error| ProviderError::Settings { field, what: error.to_string() })
}

/// Asks, whatever the answer.
pub(super) async fn ask(
    http: &Http,
    provider: ProviderKind,
    request: Request<Bytes>,
) -> Result<Response<Bytes>, ProviderError> {
    let away = |error: countersign_http::HttpError| match error {
        countersign_http::HttpError::Away { .. } => {
            ProviderError::Away { provider, what: error.to_string() }
        }
        countersign_http::HttpError::TooLong { .. } => {
            ProviderError::Malformed { provider, what: error.to_string() }
        }
    };
    http.send(request).await.map_err(away)
}

/// Returns the body of a request, which is wiped when it is let go: there are keys in it.
pub(super) fn body(question: &impl Serialize) -> Bytes {
    // Room for all of it at once: a buffer that grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(ROOM));
    // Strings and maps of strings: serialising them cannot fail.
    serde_json::to_writer(&mut *bytes, question).unwrap_or_default();
    Bytes::from_owner(bytes)
}

/// Reads an answer that should be JSON, and wipes it. What does not parse is not told: there may be keys in it.
pub(super) fn parsed<T: DeserializeOwned>(
    provider: ProviderKind,
    answer: Response<Bytes>,
) -> Result<T, ProviderError> {
    let status = answer.status();
    let parsed = serde_json::from_slice(answer.body());
    if let Ok(mut body) = answer.into_body().try_into_mut() {
        body.zeroize();
    }
    parsed.map_err(|error| ProviderError::Malformed {
        provider,
        what: format!("no such JSON at line {} column {} ({status})", error.line(), error.column()),
    })
}

/// Reads base 64 and wipes the text.
pub(super) fn decoded(
    provider: ProviderKind,
    mut text: String,
) -> Result<Zeroizing<Vec<u8>>, ProviderError> {
    let bytes = BASE64.decode(text.as_bytes()).map(Zeroizing::new);
    text.zeroize();
    bytes.map_err(|_| ProviderError::Malformed { provider, what: "it is not base 64".to_owned() })
}

/// Says whether a status tells that the service cannot for now.
pub(super) fn is_away(status: StatusCode) -> bool {
    status.is_server_error()
        || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT)
}

/// Shortens what a service says to one line, and leaves it out if a secret of ours is in it.
pub(super) fn told(said: &str, secrets: &[&str]) -> String {
    if secrets.iter().any(|secret| said.contains(secret)) {
        return "(what it says has a secret in it)".to_owned();
    }
    let line = said.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.is_empty() {
        "it does not say why".to_owned()
    } else {
        line.chars().take(TOLD).collect()
    }
}
