//! Issuers that say where their keys are, and servers that ask who we are.

use std::{fs, sync::Arc, time::Duration};

use countersign_identity::{IssuerSettings, Issuers, SettingsError, TokenError};
use countersign_testkit::MovableClock;
use serde_json::json;

use crate::{
    server::KeyServer,
    signing::Signer,
    world::{STALE, World, settings, unavailable},
};

fn by_discovery(settings: &mut IssuerSettings) {
    settings.jwks_uri = None;
}

#[tokio::test]
async fn keys_are_where_the_discovery_document_says() {
    let signer = Signer::p256("e");
    let world = World::with(&[&signer], by_discovery).await;
    assert!(world.accepts(&signer).await);
    let paths: Vec<_> = world.server.asked().into_iter().map(|asked| asked.path).collect();
    assert_eq!(paths, ["/.well-known/openid-configuration", "/jwks"]);
}

#[tokio::test]
async fn an_issuer_below_a_path_has_its_document_below_it() {
    let signer = Signer::p256("e");
    for slash in ["", "/"] {
        let server = KeyServer::start().await;
        server.publish(&[&signer]);
        let issuer = format!("{}/realms/main{slash}", server.issuer());
        let document = json!({"issuer": issuer, "jwks_uri": server.jwks_uri()}).to_string();
        server.answer("/realms/main/.well-known/openid-configuration", 200, &document);
        let settings = IssuerSettings { issuer: issuer.parse().unwrap(), ..settings(&server) };
        let world = World::of(&[]).await;
        let issuers = Issuers::new([settings], world.clock.clone()).unwrap();
        let token = signer.token(&world.claims_with(&json!({"iss": issuer})));
        assert!(issuers.verify(&token).await.is_ok(), "{issuer}");
    }
}

#[tokio::test]
async fn a_document_of_another_issuer_is_not_believed() {
    let signer = Signer::p256("e");
    let world = World::with(&[&signer], by_discovery).await;
    let issuer = world.server.issuer();
    for other in [format!("{issuer}/"), "https://login.example.com".to_owned(), String::new()] {
        world.server.discover(&json!({"issuer": other, "jwks_uri": world.server.jwks_uri()}));
        assert_eq!(world.error_of(&world.token(&signer)).await, unavailable(), "{other}");
        world.clock.advance(Duration::from_secs(5));
    }
    assert!(world.server.asked().iter().all(|asked| asked.path != "/jwks"));
}

#[tokio::test]
async fn a_document_cannot_send_us_to_insecure_places() {
    let signer = Signer::p256("e");
    let world = World::with(&[&signer], by_discovery).await;
    for uri in ["http://keys.example.com/jwks", "file:///etc/passwd", "", "//x", "gopher://x"] {
        world.server.discover(&json!({"issuer": world.server.issuer(), "jwks_uri": uri}));
        assert_eq!(world.error_of(&world.token(&signer)).await, unavailable(), "{uri}");
        world.clock.advance(Duration::from_secs(5));
    }
}

#[tokio::test]
async fn the_bearer_token_is_read_anew_and_shown_to_its_server_alone() {
    let signer = Signer::p256("e");
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("token");
    fs::write(&file, "first\n").unwrap();
    let elsewhere = KeyServer::start().await;
    elsewhere.publish(&[&signer]);
    let world = World::with(&[&signer], |settings| {
        by_discovery(settings);
        settings.bearer_token_file = Some(file.clone());
    })
    .await;
    assert!(world.accepts(&signer).await);
    fs::write(&file, "second").unwrap();
    world.clock.advance(STALE);
    world
        .server
        .discover(&json!({"issuer": world.server.issuer(), "jwks_uri": elsewhere.jwks_uri()}));
    assert!(world.accepts(&signer).await);
    let shown = |server: &KeyServer| {
        server.asked().into_iter().map(|asked| asked.authorization).collect::<Vec<_>>()
    };
    let bearer = |token: &str| Some(format!("Bearer {token}"));
    assert_eq!(shown(&world.server), [bearer("first"), bearer("first"), bearer("second")]);
    assert_eq!(shown(&elsewhere), [None]);
}

#[tokio::test]
async fn without_its_bearer_token_nobody_is_asked() {
    let signer = Signer::p256("e");
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("token");
    let world =
        World::with(&[&signer], |settings| settings.bearer_token_file = Some(file.clone())).await;
    for text in [None, Some(""), Some(" \n"), Some("two\nlines")] {
        if let Some(text) = text {
            fs::write(&file, text).unwrap();
        }
        assert_eq!(world.error_of(&world.token(&signer)).await, unavailable(), "{text:?}");
        world.clock.advance(Duration::from_secs(5));
    }
    assert_eq!(world.server.times_asked(), 0);
    fs::write(&file, "token").unwrap();
    assert!(world.accepts(&signer).await);
}

#[tokio::test]
async fn keys_can_be_fetched_before_the_first_token_comes() {
    let signer = Signer::p256("e");
    let world = World::of(&[&signer]).await;
    assert!(world.issuers.warm().await.is_empty());
    assert!(world.accepts(&signer).await);
    assert_eq!(world.server.times_asked(), 1);
    let lost = World::of(&[]).await;
    lost.server.go_away();
    assert_eq!(lost.issuers.warm().await, ["login"]);
}

#[tokio::test]
async fn who_trusts_nobody_believes_nothing() {
    let world = World::of(&[]).await;
    let nobody = Issuers::new([], Arc::new(MovableClock::default())).unwrap();
    assert!(nobody.is_empty() && !world.issuers.is_empty());
    let token = Signer::p256("e").token(&world.claims());
    assert_eq!(nobody.verify(&token).await.unwrap_err(), TokenError::UnknownIssuer);
}

#[tokio::test]
async fn certificates_that_are_none_are_named_with_their_issuer() {
    let server = KeyServer::start().await;
    let mut settings = settings(&server);
    settings.ca_file = Some("/nowhere/ca.crt".into());
    let error = Issuers::new([settings], Arc::new(MovableClock::default())).unwrap_err();
    assert!(matches!(&error, SettingsError::Certificates { .. }));
    assert_eq!(error.to_string(), "ca_file of issuer \"login\" cannot be used");
}
