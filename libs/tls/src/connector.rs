//! Opening a connection to a server over TLS.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::Uri;
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig,
    client::{Resumption, WebPkiServerVerifier, danger::ServerCertVerifier},
    pki_types::ServerName,
    sign::SingleCertAndKey,
    version::{TLS12, TLS13},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};
use tower::Service;

use crate::{
    Live, Material, SpiffeId, TlsError,
    material::provider,
    server::refused,
    verify::{HandshakeFailure, SpiffeServerVerifier},
};

/// How long opening a connection may take, where nobody has less patience.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// The port of https, where an address names none.
const DEFAULT_PORT: u16 = 443;

/// gRPC (RFC 7301, RFC 9113 section 3.2).
const HTTP2: &[u8] = b"h2";

/// Whom a connection must lead to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExpectedPeer {
    /// Whoever's certificate names the host, by name or IP address, that is connected to.
    Host,
    /// Whoever's certificate names this host, whatever is connected to: see [`named`](Self::named).
    Named(ServerName<'static>),
    /// The workload of this id, wherever it is. What its host is called does not matter.
    Spiffe(SpiffeId),
}

impl ExpectedPeer {
    /// Expects the host `name`, a DNS name or an IP address.
    ///
    /// # Errors
    /// Says that it is neither.
    pub fn named(name: &str) -> Result<Self, ConnectError> {
        server_name(name).map(Self::Named)
    }
}

/// Why a connection does not come about.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// There is no host in the address.
    #[error("{0} names no host")]
    NoHost(Uri),
    /// A host cannot be called this.
    #[error("{0:?} is neither a DNS name nor an IP address")]
    Name(String),
    /// Nobody is there.
    #[error("{host}:{port} cannot be reached")]
    Unreachable {
        /// The host.
        host: String,
        /// The port.
        port: u16,
        /// Why.
        source: io::Error,
    },
    /// Somebody is there, and is not whom we mean, does not want to speak with us, or speaks something else.
    #[error("no TLS with {host}:{port}: {what}")]
    Handshake {
        /// The host.
        host: String,
        /// The port.
        port: u16,
        /// What happened.
        what: String,
    },
    /// It takes too long.
    #[error("{host}:{port} does not answer within {} s", CONNECT_WITHIN.as_secs())]
    TooSlow {
        /// The host.
        host: String,
        /// The port.
        port: u16,
    },
    /// Our own side does not go together.
    #[error("the client's TLS cannot be set up")]
    Settings(#[from] TlsError),
}

/// Opens connections: for `tonic::transport::Endpoint::connect_with_connector_lazy`, whose address may begin with `http` or
/// `https`: it is TLS always. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Connector {
    files: Arc<Live<Material>>,
    expected: ExpectedPeer,
}

impl Connector {
    pub(crate) const fn new(files: Arc<Live<Material>>, expected: ExpectedPeer) -> Self {
        Self { files, expected }
    }

    /// Returns the name that is looked for in the certificate, or said to the server if none is.
    fn server_name(&self, host: &str) -> Result<ServerName<'static>, ConnectError> {
        match &self.expected {
            ExpectedPeer::Host | ExpectedPeer::Spiffe(_) => server_name(host),
            ExpectedPeer::Named(name) => Ok(name.clone()),
        }
    }

    fn configure(&self) -> Result<ClientConfig, TlsError> {
        let material = self.files.current();
        let roots = material.roots.clone().ok_or_else(|| refused("there are no roots"))?;
        let provider = provider();
        let verifier: Arc<dyn ServerCertVerifier> = match &self.expected {
            ExpectedPeer::Host | ExpectedPeer::Named(_) => {
                WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider))
                    .build()
                    .map_err(refused)?
            }
            ExpectedPeer::Spiffe(id) => {
                let algorithms = provider.signature_verification_algorithms;
                Arc::new(SpiffeServerVerifier { roots, expected: id.clone(), algorithms })
            }
        };
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(refused)?
            // The verifiers look at no less than the usual one.
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut config = match &material.key {
            Some(key) => {
                builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(Arc::clone(key))))
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![HTTP2.to_vec()];
        config.resumption = Resumption::disabled();
        Ok(config)
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<TlsStream<TcpStream>>;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, ConnectError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move {
            let host = uri.host().unwrap_or_default();
            let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
            if host.is_empty() {
                return Err(ConnectError::NoHost(uri));
            }
            let port = uri.port_u16().unwrap_or(DEFAULT_PORT);
            let name = connector.server_name(&host)?;
            let config = Arc::new(connector.configure()?);
            match tokio::time::timeout(CONNECT_WITHIN, connect(&host, port, name, config)).await {
                Ok(connected) => connected.map(TokioIo::new),
                Err(_) => Err(ConnectError::TooSlow { host, port }),
            }
        })
    }
}

async fn connect(
    host: &str,
    port: u16,
    name: ServerName<'static>,
    config: Arc<ClientConfig>,
) -> Result<TlsStream<TcpStream>, ConnectError> {
    let unreachable = |source| ConnectError::Unreachable { host: host.to_owned(), port, source };
    let tcp = TcpStream::connect((host, port)).await.map_err(unreachable)?;
    tcp.set_nodelay(true).map_err(unreachable)?;
    let failed = |what| ConnectError::Handshake { host: host.to_owned(), port, what };
    let tls = TlsConnector::from(config).connect(name, tcp).await;
    let tls = tls.map_err(|error| failed(HandshakeFailure::of(&error).what))?;
    if tls.get_ref().1.alpn_protocol() != Some(HTTP2) {
        return Err(failed("it does not speak HTTP/2".to_owned()));
    }
    Ok(tls)
}

fn server_name(host: &str) -> Result<ServerName<'static>, ConnectError> {
    ServerName::try_from(host.to_owned()).map_err(|_| ConnectError::Name(host.to_owned()))
}
