//! The HTTPS client through which all other services that speak HTTP are asked: key providers, issuers of tokens. It has
//! bounds on everything that the other side decides: time, size, where it sends us.

#![forbid(unsafe_code)]

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::{Request, Response};

/// How long opening a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// How long an unused connection is kept.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// How a client behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpSettings {
    /// How long an answer may take, all of it.
    pub timeout: Duration,
    /// Greatest size of an answer's body in bytes.
    pub max_body: usize,
    /// Certificates in PEM of authorities that are trusted besides those of the system.
    pub extra_roots: Option<PathBuf>,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(3), max_body: 256 * 1024, extra_roots: None }
    }
}

/// Why a client cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The certificates cannot be read.
    #[error("{} cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The certificates are none.
    #[error("{} holds no certificates in PEM", path.display())]
    NoCertificates {
        /// The file.
        path: PathBuf,
    },
    /// The system's certificates or its TLS cannot be used.
    #[error("no client for HTTPS can be made: {0}")]
    Refused(String),
}

/// Why there is no answer. Says nothing of what was sent, which may be secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// Nobody answers, or not in time; it may have been carried out.
    #[error("{host} does not answer: {what}")]
    Away {
        /// Whom we asked.
        host: String,
        /// What happened.
        what: String,
    },
    /// The answer is longer than is read.
    #[error("{host} answers with more than {limit} bytes")]
    TooLong {
        /// Whom we asked.
        host: String,
        /// Greatest size in bytes.
        limit: usize,
    },
}

/// A client. Cheap to clone; clones share connections.
#[derive(Clone)]
pub struct Http {
    client: reqwest::Client,
    max_body: usize,
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").field("max_body", &self.max_body).finish_non_exhaustive()
    }
}

impl Http {
    /// Makes a client. It follows no redirects: whoever is asked is who was configured.
    ///
    /// # Errors
    /// Names the file of certificates that cannot be used.
    pub fn new(settings: &HttpSettings) -> Result<Self, SettingsError> {
        // Several kinds may be compiled in, and then a choice must be made before TLS is spoken. An error says that it was
        // made already.
        rustls::crypto::ring::default_provider().install_default().ok();
        let mut builder = reqwest::Client::builder()
            .use_rustls_tls()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(settings.timeout)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .no_proxy()
            .user_agent("countersign");
        if let Some(path) = &settings.extra_roots {
            for certificate in certificates(path)? {
                builder = builder.add_root_certificate(certificate);
            }
        }
        let client = builder.build().map_err(|error| SettingsError::Refused(reason(&error)))?;
        Ok(Self { client, max_body: settings.max_body })
    }

    /// Sends a request and reads the whole answer, whatever its status.
    ///
    /// # Errors
    /// Says that nobody answers in time, or at too great length.
    pub async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let host = request.uri().authority().map_or_else(String::new, |host| host.to_string());
        let host = host.rsplit('@').next().unwrap_or_default().to_owned();
        let away =
            |error: reqwest::Error| HttpError::Away { host: host.clone(), what: reason(&error) };
        let request = reqwest::Request::try_from(request).map_err(away)?;
        let mut answer = self.client.execute(request).await.map_err(away)?;
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = answer.status();
        *response.headers_mut() = answer.headers().clone();
        let mut body = BytesMut::new();
        while let Some(chunk) = answer.chunk().await.map_err(away)? {
            if body.len() + chunk.len() > self.max_body {
                return Err(HttpError::TooLong { host, limit: self.max_body });
            }
            body.extend_from_slice(&chunk);
        }
        *response.body_mut() = body.freeze();
        Ok(response)
    }
}

fn certificates(path: &Path) -> Result<Vec<reqwest::Certificate>, SettingsError> {
    let pem = fs::read(path)
        .map_err(|source| SettingsError::Unreadable { path: path.to_owned(), source })?;
    let found = reqwest::Certificate::from_pem_bundle(&pem).unwrap_or_default();
    if found.is_empty() {
        return Err(SettingsError::NoCertificates { path: path.to_owned() });
    }
    Ok(found)
}

/// Says an error and its causes without the address that was asked, in which there may be secrets.
fn reason(error: &reqwest::Error) -> String {
    let mut text =
        if error.is_timeout() { "no answer in time" } else { "no connection" }.to_owned();
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests;
