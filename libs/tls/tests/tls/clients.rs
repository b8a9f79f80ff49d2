//! Which clients are let in, and as whom.

use std::sync::Arc;

use countersign_tls::{ClientTls, ExpectedPeer, HandshakeLimits, TlsSettings};
use rcgen::{DnType, ExtendedKeyUsagePurpose, date_time_ymd};
use rustls::{
    ClientConfig, HandshakeKind, ProtocolVersion, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
    version::{TLS12, TLS13},
};
use tokio::{io::AsyncReadExt as _, net::TcpStream};

use crate::{
    authority::{Authority, Folder, Issued, changed, dns, nameless, uri, with_names, workload},
    server::{Server, channel, check, client, house, said},
};

const ID: &str = "spiffe://example.org/caller";

/// Calls a server that asks who calls with `issued`, and says what the server knows of the caller.
async fn call(
    server: &mut Server,
    house: &Authority,
    issued: &Issued,
) -> Result<Option<String>, String> {
    let folder = Folder::new(issued, &house.pem);
    check(client(server.address, &folder)).await.map_err(|error| said(&error))?;
    Ok(server.caller().await)
}

#[tokio::test]
async fn a_client_is_known_by_its_spiffe_id() {
    let (house, files) = house();
    for required in [false, true] {
        let mut server = Server::with_tls(&files.server(required)).await;
        let known = call(&mut server, &house, &house.workload(ID)).await;
        assert_eq!(known, Ok(Some(ID.to_owned())));
    }
}

#[tokio::test]
async fn a_client_is_known_by_its_own_certificate_and_by_none_above() {
    let (house, files) = house();
    let mut server = Server::with_tls(&files.server(true)).await;
    let between = house.intermediate("between");
    let mut issued = between.workload(ID);
    assert!(call(&mut server, &house, &issued).await.is_err(), "nobody vouches for it");
    issued.chain.push_str(&between.pem);
    assert_eq!(call(&mut server, &house, &issued).await, Ok(Some(ID.to_owned())));
    let mut nobody = between.sign(&nameless());
    nobody.chain.push_str(&between.pem);
    nobody.chain.push_str(&house.workload(ID).chain);
    assert_eq!(call(&mut server, &house, &nobody).await, Ok(None));
}

#[tokio::test]
async fn a_client_without_a_spiffe_id_is_let_in_as_nobody() {
    let (house, files) = house();
    let mut server = Server::with_tls(&files.server(true)).await;
    let mut by_subject = nameless();
    by_subject.distinguished_name.push(DnType::CommonName, ID);
    for params in [
        nameless(),
        by_subject,
        with_names(vec![dns("caller.example.org")]),
        with_names(vec![uri("https://example.org/caller")]),
    ] {
        assert_eq!(call(&mut server, &house, &house.sign(&params)).await, Ok(None));
    }
}

#[tokio::test]
async fn a_client_whose_certificate_is_wrong_is_refused() {
    let (house, files) = house();
    // Wrong is wrong whether or not one has to be shown.
    for required in [false, true] {
        let mut server = Server::with_tls(&files.server(required)).await;
        let expired = changed(workload(ID), |it| it.not_after = date_time_ymd(2020, 1, 1));
        let early = changed(workload(ID), |it| it.not_before = date_time_ymd(2100, 1, 1));
        let other_use = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let for_servers = changed(workload(ID), |it| it.extended_key_usages = other_use);
        for (what, issued) in [
            ("another authority", Authority::new("another").workload(ID)),
            ("another authority of the same name", Authority::new("house").workload(ID)),
            ("not yet", house.sign(&early)),
            ("only for servers", house.sign(&for_servers)),
            ("two ids", house.sign(&with_names(vec![uri(ID), uri("spiffe://example.org/b")]))),
            ("an id and a URI", house.sign(&with_names(vec![uri(ID), uri("https://a.example")]))),
            ("a wrong id", house.workload("spiffe://Example.org/caller")),
            ("a trust domain", house.workload("spiffe://example.org")),
        ] {
            let known = call(&mut server, &house, &issued).await;
            assert!(known.is_err(), "{what}: {known:?}");
        }
        // We would not show an expired one ourselves, so another client does.
        let shown = raw(&house, &[&TLS13], Some(&house.sign(&expired)));
        assert!(knock(&server, &shown).await.is_err());
        let shown = raw(&house, &[&TLS13], Some(&house.workload(ID)));
        assert!(knock(&server, &shown).await.is_ok(), "the same with a good one is let in");
    }
}

#[tokio::test]
async fn a_client_without_a_certificate_is_let_in_unless_one_is_required() {
    let (_, files) = house();
    let tls = ClientTls::from_roots(files.path("ca.crt")).unwrap();
    let mut server = Server::with_tls(&files.server(false)).await;
    check(channel(server.address, tls.connector(ExpectedPeer::Host))).await.unwrap();
    assert_eq!(server.caller().await, None);
    let server = Server::with_tls(&files.server(true)).await;
    let refused = check(channel(server.address, tls.connector(ExpectedPeer::Host))).await;
    let refused = said(&refused.unwrap_err());
    assert!(refused.contains("CertificateRequired"), "{refused}");
}

#[tokio::test]
async fn a_server_that_asks_nobody_knows_nobody() {
    let (house, files) = house();
    let settings = TlsSettings { client_roots: None, ..files.server(false) };
    let mut server = Server::with_tls(&settings).await;
    assert_eq!(call(&mut server, &house, &house.workload(ID)).await, Ok(None));
}

#[tokio::test]
async fn the_older_version_of_tls_knows_clients_too() {
    let (house, files) = house();
    let server = Server::with_tls(&files.server(true)).await;
    let good = raw(&house, &[&TLS12], Some(&house.workload(ID)));
    let (version, _) = knock(&server, &good).await.unwrap();
    assert_eq!(version, ProtocolVersion::TLSv1_2);
    let two = house.sign(&with_names(vec![uri(ID), uri("spiffe://example.org/b")]));
    assert!(knock(&server, &raw(&house, &[&TLS12], Some(&two))).await.is_err());
    assert!(knock(&server, &raw(&house, &[&TLS12], None)).await.is_err());
}

#[tokio::test]
async fn a_certificate_is_looked_at_in_every_handshake() {
    let (house, files) = house();
    let server = Server::with_tls(&files.server(true)).await;
    for version in [&TLS12, &TLS13] {
        // It would go on with an earlier session if it could.
        let config = raw(&house, &[version], Some(&house.workload(ID)));
        for _ in 0..3 {
            let (_, kind) = knock(&server, &config).await.unwrap();
            assert!(matches!(kind, HandshakeKind::Full | HandshakeKind::FullWithHelloRetryRequest));
        }
    }
}

#[tokio::test]
async fn every_request_tells_where_it_comes_from() {
    let (_, files) = house();
    let mut server = Server::start(None, HandshakeLimits::default()).await;
    let endpoint = tonic::transport::Endpoint::from_shared(format!("http://{}", server.address));
    check(endpoint.unwrap().connect_lazy()).await.unwrap();
    let connection = server.connection().await;
    assert!(!connection.is_tls() && connection.peer().is_none());
    assert!(connection.remote_address().ip().is_loopback());
    assert_ne!(connection.remote_address(), server.address);
    let mut server = Server::with_tls(&files.server(true)).await;
    let channel = client(server.address, &files);
    check(channel.clone()).await.unwrap();
    check(channel).await.unwrap();
    let (first, second) = (server.connection().await, server.connection().await);
    assert_eq!(first, second, "both came by one connection");
    assert!(first.is_tls() && first.peer().is_some());
}

#[tokio::test]
async fn what_is_spoken_is_agreed_on() {
    let (house, files) = house();
    let server = Server::with_tls(&files.server(false)).await;
    for (offered, agreed) in [
        (&["h2", "http/1.1"][..], Some(Some("h2"))),
        (&["http/1.1"], Some(Some("http/1.1"))),
        (&[], Some(None)),
        (&["spdy/3"], None),
    ] {
        let mut config = raw(&house, &[&TLS13], None).as_ref().clone();
        config.alpn_protocols = offered.iter().map(|name| name.as_bytes().to_vec()).collect();
        let tcp = TcpStream::connect(server.address).await.unwrap();
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let tls = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, tcp).await;
        let spoken = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let spoken = tls.ok().map(|tls| tls.get_ref().1.alpn_protocol().map(spoken));
        assert_eq!(spoken.as_ref().map(Option::as_deref), agreed, "{offered:?}");
    }
}

/// Makes a client of nobody's making but rustls'.
fn raw(
    house: &Authority,
    versions: &[&'static rustls::SupportedProtocolVersion],
    shown: Option<&Issued>,
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(house.pem.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots);
    Arc::new(match shown {
        Some(issued) => {
            let key = PrivateKeyDer::from_pem_slice(issued.key.as_bytes()).unwrap();
            builder.with_client_auth_cert(vec![issued.der.clone().into()], key).unwrap()
        }
        None => builder.with_no_client_auth(),
    })
}

/// Does a handshake, and listens until the server says something: that is when a client knows that it was let in.
async fn knock(
    server: &Server,
    config: &Arc<ClientConfig>,
) -> std::io::Result<(ProtocolVersion, HandshakeKind)> {
    use tokio::io::AsyncWriteExt as _;
    let tcp = TcpStream::connect(server.address).await?;
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let mut tls = tokio_rustls::TlsConnector::from(Arc::clone(config)).connect(name, tcp).await?;
    // The beginning of every HTTP/2 connection (RFC 9113, section 3.4), and no settings.
    tls.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await?;
    tls.read_u8().await?;
    let session = tls.get_ref().1;
    Ok((session.protocol_version().unwrap(), session.handshake_kind().unwrap()))
}
