//! Which servers clients speak with.

use std::sync::Arc;

use countersign_tls::{ClientTls, ConnectError, Connector, ExpectedPeer};
use http::Uri;
use rustls::{
    ServerConfig,
    pki_types::{PrivateKeyDer, pem::PemObject as _},
};
use tokio::net::TcpListener;
use tower::ServiceExt as _;

use crate::{
    authority::{Authority, Folder, Issued, dns, nameless, uri, with_names},
    server::{Server, channel, check, house, said},
};

const ID: &str = "spiffe://example.org/audit";

fn spiffe(id: &str) -> ExpectedPeer {
    ExpectedPeer::Spiffe(id.parse().unwrap())
}

/// Calls a server that has `issued` as a client that trusts `house`.
async fn call(house: &Authority, issued: &Issued, expected: ExpectedPeer) -> Result<(), String> {
    let files = Folder::new(issued, &house.pem);
    let server = Server::with_tls(&files.server(false)).await;
    let tls = ClientTls::from_roots(files.path("ca.crt")).unwrap();
    check(channel(server.address, tls.connector(expected))).await.map_err(|error| said(&error))
}

#[tokio::test]
async fn the_spiffe_id_of_the_server_is_enforced_whatever_its_host_is_called() {
    let house = Authority::new("house");
    let right = house.sign(&with_names(vec![uri(ID), dns("elsewhere.example.org")]));
    call(&house, &right, spiffe(ID)).await.unwrap();
    for (what, issued, says) in [
        (
            "another id",
            house.workload("spiffe://example.org/audit2"),
            "the server is spiffe://example.org/audit2, and not spiffe://example.org/audit",
        ),
        ("no id", house.sign(&nameless()), "the server names no SPIFFE id, and should be"),
        ("by subject", by_subject(&house), "the server names no SPIFFE id, and should be"),
        (
            "two ids",
            house.sign(&with_names(vec![uri(ID), uri("spiffe://example.org/b")])),
            "names 2 URIs",
        ),
        ("another authority", Authority::new("house").workload(ID), "invalid peer certificate"),
    ] {
        let refused = call(&house, &issued, spiffe(ID)).await.unwrap_err();
        assert!(refused.contains(says), "{what}: {refused}");
    }
}

fn by_subject(house: &Authority) -> Issued {
    let mut params = nameless();
    params.distinguished_name.push(rcgen::DnType::CommonName, ID);
    house.sign(&params)
}

#[tokio::test]
async fn the_certificate_of_a_client_is_none_of_a_server() {
    let house = Authority::new("house");
    let mut params = with_names(vec![uri(ID)]);
    params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    let refused = call(&house, &house.sign(&params), spiffe(ID)).await.unwrap_err();
    assert!(refused.contains("invalid peer certificate"), "{refused}");
}

#[tokio::test]
async fn a_server_is_known_by_its_host() {
    let house = Authority::new("house");
    let by_address = house.workload(ID);
    call(&house, &by_address, ExpectedPeer::Host).await.unwrap();
    let by_name = house.sign(&with_names(vec![dns("audit.example.org")]));
    let named = || ExpectedPeer::named("audit.example.org").unwrap();
    call(&house, &by_name, named()).await.unwrap();
    for (issued, expected) in [
        (&by_name, ExpectedPeer::Host),
        (&by_address, named()),
        (&by_name, ExpectedPeer::named("example.org").unwrap()),
        (&Authority::new("another").workload(ID), ExpectedPeer::Host),
    ] {
        let refused = call(&house, issued, expected).await.unwrap_err();
        assert!(refused.contains("invalid peer certificate"), "{refused}");
    }
    assert!(matches!(ExpectedPeer::named("a b"), Err(ConnectError::Name(_))));
}

async fn connect(connector: Connector, uri: String) -> String {
    let uri: Uri = uri.parse().unwrap();
    connector.oneshot(uri).await.map(drop).unwrap_err().to_string()
}

#[tokio::test]
async fn what_is_not_reached_is_named() {
    let (_, files) = house();
    let tls = ClientTls::from_roots(files.path("ca.crt")).unwrap();
    let connector = tls.connector(ExpectedPeer::Host);
    let closed = TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap();
    let said = connect(connector.clone(), format!("https://{closed}")).await;
    assert_eq!(said, format!("{closed} cannot be reached"));
    assert_eq!(connect(connector, "/path".to_owned()).await, "/path names no host");
}

#[tokio::test]
async fn a_server_that_does_not_speak_http2_is_left() {
    let (house, files) = house();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let issued = house.workload(ID);
    let key = PrivateKeyDer::from_pem_slice(issued.key.as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![issued.der.into()], key)
        .unwrap();
    let serving = tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        tokio_rustls::TlsAcceptor::from(Arc::new(config)).accept(tcp).await.map(drop)
    });
    let tls = ClientTls::from_roots(files.path("ca.crt")).unwrap();
    let said = connect(tls.connector(ExpectedPeer::Host), format!("https://{address}")).await;
    assert_eq!(said, format!("no TLS with {address}: it does not speak HTTP/2"));
    serving.await.unwrap().unwrap();
}
