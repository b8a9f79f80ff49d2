//! The server's side of TLS.

use std::{path::PathBuf, sync::Arc};

use rustls::{
    ServerConfig,
    server::{NoServerSessionStorage, WebPkiClientVerifier, danger::ClientCertVerifier},
    sign::SingleCertAndKey,
    version::{TLS12, TLS13},
};
use tokio_rustls::TlsAcceptor;

use crate::{
    KeyPair, Live, Material, TlsError, files::Paths, material::provider, verify::ClientVerifier,
};

/// What is spoken over TLS (RFC 7301): gRPC, and what browsers and simple proxies speak.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// How the listener speaks TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSettings {
    /// The server's certificate in PEM, followed by those of the authorities between it and a root.
    pub certificate: PathBuf,
    /// Its key in PEM.
    pub key: PathBuf,
    /// Certificates in PEM of the authorities that sign those of clients; `None` if clients are not asked for one.
    pub client_roots: Option<PathBuf>,
    /// Whether clients without a certificate are refused.
    pub require_client_certificate: bool,
}

/// The server's certificate and whom it trusts, as its files say now.
#[derive(Clone, Debug)]
pub struct ServerTls {
    files: Arc<Live<ServerConfig>>,
}

impl ServerTls {
    /// Reads the files of `settings`.
    ///
    /// # Errors
    /// Names the file that cannot be used, and says why.
    pub fn open(settings: &TlsSettings) -> Result<Self, TlsError> {
        let TlsSettings { certificate, key, client_roots, require_client_certificate } =
            settings.clone();
        if require_client_certificate && client_roots.is_none() {
            return Err(TlsError::NoClientRoots);
        }
        let key_pair = Some(KeyPair { certificate, key });
        let paths = Paths { key_pair, roots: client_roots };
        let files =
            Live::open(paths, move |material| configure(material, require_client_certificate))?;
        Ok(Self { files: Arc::new(files) })
    }

    /// Returns its files, which are to be [followed](Live::follow).
    #[must_use]
    pub const fn files(&self) -> &Arc<Live<ServerConfig>> {
        &self.files
    }

    /// Returns what does a handshake with what is in use now.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.files.current())
    }
}

fn configure(material: Material, is_required: bool) -> Result<ServerConfig, TlsError> {
    let builder = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(refused)?;
    let builder = match material.roots {
        Some(roots) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider());
            let verifier = if is_required { verifier } else { verifier.allow_unauthenticated() };
            let verifier: Arc<dyn ClientCertVerifier> = verifier.build().map_err(refused)?;
            builder.with_client_cert_verifier(Arc::new(ClientVerifier(verifier)))
        }
        None => builder.with_no_client_auth(),
    };
    let key = material.key.ok_or_else(|| refused("there is no certificate"))?;
    let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(key)));
    config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

pub(crate) fn refused(error: impl std::fmt::Display) -> TlsError {
    TlsError::Refused(error.to_string())
}
