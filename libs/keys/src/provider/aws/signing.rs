//! Signing requests: AWS Signature Version 4, by AWS's own library.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>

use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::Credentials as Signer;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use bytes::Bytes;
use countersign_core::Timestamp;
use http::Request;

use super::credentials::Credentials;
use crate::{ProviderError, ProviderKind};

/// For what a signature is good.
pub(super) struct Scope<'a> {
    pub(super) region: &'a str,
    pub(super) service: &'static str,
    pub(super) now: Timestamp,
}

/// Signs all headers of a request, its address and its body.
pub(super) fn signed(
    mut request: Request<Bytes>,
    credentials: &Credentials,
    scope: &Scope<'_>,
) -> Result<Request<Bytes>, ProviderError> {
    let refused = |what: String| ProviderError::Settings { field: "keys.aws", what };
    let session_token = credentials.session_token.as_ref().map(|token| token.expose().to_owned());
    let signer = Signer::new(
        credentials.access_key_id.as_str(),
        credentials.secret_access_key.expose(),
        session_token,
        None,
        "countersign",
    );
    let identity = signer.into();
    let now = u64::try_from(scope.now.unix_seconds()).unwrap_or_default();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(scope.region)
        .name(scope.service)
        .time(UNIX_EPOCH + Duration::from_secs(now))
        .settings(SigningSettings::default())
        .build()
        .map_err(|error| refused(error.to_string()))?
        .into();
    let mut headers = Vec::new();
    for (name, value) in request.headers() {
        let value = value.to_str().map_err(|_| refused("a header is not text".to_owned()))?;
        headers.push((name.as_str(), value));
    }
    let signable = SignableRequest::new(
        request.method().as_str(),
        request.uri().to_string(),
        headers.into_iter(),
        SignableBody::Bytes(request.body()),
    );
    let away = |error: aws_sigv4::http_request::SigningError| ProviderError::Malformed {
        provider: ProviderKind::Aws,
        what: format!("the request cannot be signed: {error}"),
    };
    let (instructions, _) = sign(signable.map_err(away)?, &params).map_err(away)?.into_parts();
    instructions.apply_to_request_http1x(&mut request);
    Ok(request)
}
