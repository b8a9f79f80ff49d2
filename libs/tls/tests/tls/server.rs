//! A real gRPC server behind the door, and clients of it.

use std::{error::Error, net::SocketAddr};

use countersign_tls::{
    ClientTls, Connection, Connector, ExpectedPeer, HandshakeLimits, Incoming, ServerTls,
    TlsSettings,
};
use tokio::{net::TcpListener, sync::mpsc, task::JoinHandle};
use tonic::{
    Status,
    transport::{Channel, Endpoint},
};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tower::util::MapRequestLayer;

use crate::authority::{Authority, Folder};

/// Says of itself that it is well, and of each request by which connection it came.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) tls: Option<ServerTls>,
    seen: mpsc::UnboundedReceiver<Connection>,
    serving: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(tls: Option<ServerTls>, limits: HandshakeLimits) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let incoming = Incoming::new(listener, tls.clone(), limits).unwrap();
        let address = incoming.address();
        let (say, seen) = mpsc::unbounded_channel();
        let layer = MapRequestLayer::new(move |request: http::Request<_>| {
            let connection = request.extensions().get::<Connection>();
            say.send(connection.expect("every request has one").clone()).ok();
            request
        });
        let (_, health) = tonic_health::server::health_reporter();
        let router = tonic::transport::Server::builder().layer(layer).add_service(health);
        let serving = tokio::spawn(async move {
            router.serve_with_incoming(incoming).await.unwrap();
        });
        Self { address, tls, seen, serving }
    }

    pub(crate) async fn with_tls(settings: &TlsSettings) -> Self {
        let tls = ServerTls::open(settings).unwrap();
        Self::start(Some(tls), HandshakeLimits::default()).await
    }

    /// Waits for a request, and returns by which connection it came.
    pub(crate) async fn connection(&mut self) -> Connection {
        self.seen.recv().await.expect("the server serves")
    }

    /// Returns as whom the next caller is known.
    pub(crate) async fn caller(&mut self) -> Option<String> {
        let connection = self.connection().await;
        assert!(connection.is_tls());
        connection.peer().map(|peer| peer.spiffe_id().to_string())
    }

    pub(crate) fn reload(&self) {
        self.tls.as_ref().unwrap().files().reload().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// An authority that everyone trusts, and files of a server that it signed for.
pub(crate) fn house() -> (Authority, Folder) {
    let authority = Authority::new("house");
    let folder = Folder::new(&authority.workload("spiffe://example.org/server"), &authority.pem);
    (authority, folder)
}

pub(crate) fn channel(address: SocketAddr, connector: Connector) -> Channel {
    let endpoint = Endpoint::from_shared(format!("https://{address}")).unwrap();
    endpoint.connect_with_connector_lazy(connector)
}

/// Returns a client that trusts and shows what `folder` holds.
pub(crate) fn client(address: SocketAddr, folder: &Folder) -> Channel {
    let tls = ClientTls::open(&folder.client()).unwrap();
    channel(address, tls.connector(ExpectedPeer::Host))
}

/// Asks whether the server is well.
pub(crate) async fn check(channel: Channel) -> Result<(), Status> {
    let request = HealthCheckRequest { service: String::new() };
    HealthClient::new(channel).check(request).await.map(drop)
}

/// Says everything about an error.
pub(crate) fn said(error: &Status) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(&format!(": {cause}"));
        next = cause.source();
    }
    text
}

/// Asks until `wanted` is seen, which must come about within half a minute.
pub(crate) async fn eventually(mut wanted: impl AsyncFnMut() -> bool) {
    let asking = async { while !wanted().await {} };
    tokio::time::timeout(std::time::Duration::from_secs(30), asking).await.expect("it comes about");
}
