//! Issuers behind TLS, whose authority is their own, as that of a Kubernetes cluster is.

use std::{fs, sync::Arc};

use countersign_identity::Issuers;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{self, ServerConfig},
};

use crate::{
    server::KeyServer,
    signing::Signer,
    world::{World, settings, unavailable},
};

/// Makes what a server for `localhost` needs, and its certificate in PEM.
fn certified() -> (TlsAcceptor, String) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    (TlsAcceptor::from(Arc::new(config)), made.cert.pem())
}

#[tokio::test]
async fn an_issuer_is_believed_under_its_own_authority_alone() {
    let signer = Signer::p256("e");
    let (tls, certificate) = certified();
    let server = KeyServer::start_tls(tls).await;
    server.publish(&[&signer]);
    let directory = tempfile::tempdir().unwrap();
    let trusting = |pem: Option<&str>| {
        let mut settings = settings(&server);
        settings.ca_file = pem.map(|pem| {
            let path = directory.path().join("ca.pem");
            fs::write(&path, pem).unwrap();
            path
        });
        settings
    };
    let world = World::of(&[]).await;
    let claims = world.claims_with(&serde_json::json!({"iss": server.issuer()}));
    let token = signer.token(&claims);
    let (_, another) = certified();
    for pem in [None, Some(another.as_str())] {
        let issuers = Issuers::new([trusting(pem)], world.clock.clone()).unwrap();
        assert_eq!(issuers.verify(&token).await.unwrap_err(), unavailable());
    }
    assert_eq!(server.times_asked(), 0);
    let issuers = Issuers::new([trusting(Some(&certificate))], world.clock.clone()).unwrap();
    assert!(issuers.verify(&token).await.is_ok());
}

#[tokio::test]
async fn a_document_that_came_by_tls_cannot_send_us_to_where_there_is_none() {
    let signer = Signer::p256("e");
    let (tls, certificate) = certified();
    let (server, plain) = (KeyServer::start_tls(tls).await, KeyServer::start().await);
    plain.publish(&[&signer]);
    server.discover(&serde_json::json!({"issuer": server.issuer(), "jwks_uri": plain.jwks_uri()}));
    let directory = tempfile::tempdir().unwrap();
    let mut settings = settings(&server);
    settings.ca_file = Some(directory.path().join("ca.pem"));
    fs::write(settings.ca_file.as_ref().unwrap(), certificate).unwrap();
    let world = World::of(&[]).await;
    let issuers = Issuers::new([settings], world.clock.clone()).unwrap();
    let claims = world.claims_with(&serde_json::json!({"iss": server.issuer()}));
    let problem = issuers.verify(&signer.token(&claims)).await.unwrap_err();
    assert_eq!(problem, unavailable());
    assert_eq!((server.times_asked(), plain.times_asked()), (1, 0));
}
