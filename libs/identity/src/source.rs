//! Where an issuer's keys come from: its discovery document, and the set that this names.

use std::{io, path::PathBuf};

use bytes::Bytes;
use countersign_http::{Http, HttpError};
use http::{Request, StatusCode, header};
use serde_json::Value;

use crate::{
    Address, AddressError, IssuerSettings,
    json::{self, NotAnObject},
    key_set::{KeySet, NotAKeySet},
};

/// Where an issuer says what it is like (OpenID Connect Discovery section 4).
const DISCOVERY: &str = "/.well-known/openid-configuration";

/// Fetches one issuer's keys.
#[derive(Debug)]
pub(crate) struct Source {
    http: Http,
    issuer: Address,
    jwks_uri: Option<Address>,
    bearer_token_file: Option<PathBuf>,
}

/// Why keys were not fetched.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error(transparent)]
    Http(#[from] HttpError),
    #[error("{address} answers with status {status}")]
    Status { address: Address, status: StatusCode },
    #[error("the bearer token in {} cannot be used: {problem}", path.display())]
    Bearer { path: PathBuf, problem: String },
    #[error("the discovery document {0}")]
    Discovery(#[from] DiscoveryError),
    #[error("the key set at {address} {problem}")]
    Keys { address: Address, problem: NotAKeySet },
}

/// Why a discovery document leads to no keys.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DiscoveryError {
    #[error("is {0}")]
    Json(NotAnObject),
    #[error("has no text as its {0}")]
    Missing(&'static str),
    #[error("is another issuer's")]
    OtherIssuer,
    #[error("has a jwks_uri that {0}")]
    Address(AddressError),
}

impl Source {
    pub(crate) fn new(settings: &IssuerSettings, http: Http) -> Self {
        Self {
            http,
            issuer: settings.issuer.clone(),
            jwks_uri: settings.jwks_uri.clone(),
            bearer_token_file: settings.bearer_token_file.clone(),
        }
    }

    /// Asks for the keys as they are now.
    pub(crate) async fn fetch(&self) -> Result<KeySet, FetchError> {
        let address = match &self.jwks_uri {
            Some(configured) => configured.clone(),
            None => self.discover().await?,
        };
        let body = self.get(&address).await?;
        KeySet::parse(&body).map_err(|problem| FetchError::Keys { address, problem })
    }

    async fn discover(&self) -> Result<Address, FetchError> {
        let document = self.issuer.below(DISCOVERY).map_err(DiscoveryError::Address)?;
        let (issuer, jwks_uri) = jwks_uri_in(&self.get(&document).await?)?;
        // Or one issuer's server could speak for another (OpenID Connect Discovery section 4.3).
        if issuer != self.issuer.as_str() {
            return Err(DiscoveryError::OtherIssuer.into());
        }
        if self.issuer.is_https() && !jwks_uri.is_https() {
            return Err(DiscoveryError::Address(AddressError::NotSecure).into());
        }
        Ok(jwks_uri)
    }

    async fn get(&self, address: &Address) -> Result<Bytes, FetchError> {
        let mut request = Request::new(Bytes::new());
        *request.uri_mut() = address.uri().clone();
        let accept = "application/jwk-set+json, application/json";
        request.headers_mut().insert(header::ACCEPT, header::HeaderValue::from_static(accept));
        if let Some(bearer) = self.bearer_for(address).await? {
            request.headers_mut().insert(header::AUTHORIZATION, bearer);
        }
        let answer = self.http.send(request).await?;
        match answer.status() {
            StatusCode::OK => Ok(answer.into_body()),
            status => Err(FetchError::Status { address: address.clone(), status }),
        }
    }

    /// Reads the token that is shown to the server that was configured, and to no other that a document may name.
    async fn bearer_for(
        &self,
        address: &Address,
    ) -> Result<Option<header::HeaderValue>, FetchError> {
        let Some(path) = &self.bearer_token_file else { return Ok(None) };
        if !address.same_server(self.jwks_uri.as_ref().unwrap_or(&self.issuer)) {
            return Ok(None);
        }
        let unusable = |problem: String| FetchError::Bearer { path: path.clone(), problem };
        let read = tokio::fs::read_to_string(path).await;
        let token = read.map_err(|error: io::Error| unusable(error.to_string()))?;
        let token = token.trim();
        if token.is_empty() {
            return Err(unusable("it is empty".to_owned()));
        }
        let header = header::HeaderValue::try_from(format!("Bearer {token}"));
        let mut header = header.map_err(|_| unusable("it is no text of one line".to_owned()))?;
        header.set_sensitive(true);
        Ok(Some(header))
    }
}

/// Returns whose discovery document it is, and where it says that the keys are.
pub(crate) fn jwks_uri_in(document: &[u8]) -> Result<(String, Address), DiscoveryError> {
    let members = json::object(document).map_err(DiscoveryError::Json)?;
    let text =
        |name| members.get(name).and_then(Value::as_str).ok_or(DiscoveryError::Missing(name));
    let address = text("jwks_uri")?.parse().map_err(DiscoveryError::Address)?;
    Ok((text("issuer")?.to_owned(), address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_discovery_document_names_its_issuer_and_its_keys() {
        let document = br#"{"issuer":"https://a.example","jwks_uri":"https://a.example/jwks"}"#;
        let (issuer, address) = jwks_uri_in(document).unwrap();
        assert_eq!(
            (issuer.as_str(), address.as_str()),
            ("https://a.example", "https://a.example/jwks")
        );
    }

    #[test]
    fn a_discovery_document_that_leads_nowhere_is_refused() {
        let insecure = r#"{"issuer":"https://a.example","jwks_uri":"http://a.example/jwks"}"#;
        for (document, error) in [
            ("<html>", DiscoveryError::Json(NotAnObject)),
            ("{}", DiscoveryError::Missing("jwks_uri")),
            (r#"{"jwks_uri":1}"#, DiscoveryError::Missing("jwks_uri")),
            (r#"{"jwks_uri":"https://a.example"}"#, DiscoveryError::Missing("issuer")),
            (insecure, DiscoveryError::Address(AddressError::NotSecure)),
            (
                r#"{"jwks_uri":"file:///etc/passwd"}"#,
                DiscoveryError::Address(AddressError::NotAUrl),
            ),
        ] {
            assert_eq!(jwks_uri_in(document.as_bytes()).unwrap_err(), error, "{document}");
        }
    }
}
