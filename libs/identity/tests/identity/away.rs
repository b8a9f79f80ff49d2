//! Issuers that do not answer, or not with keys: what is known serves for a while, and then nothing does.

use std::{io, sync::Arc, time::Duration};

use countersign_identity::TokenError;
use parking_lot::Mutex;
use tracing_subscriber::fmt::MakeWriter;

use crate::{
    signing::Signer,
    world::{GONE, STALE, World, unavailable},
};

const RETRY: Duration = Duration::from_secs(5);

/// A log that is looked at.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn lines_with(&self, text: &str) -> usize {
        let log = String::from_utf8(self.0.lock().clone()).unwrap();
        log.lines().filter(|line| line.contains("issuer=told-once") && line.contains(text)).count()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn keys_serve_for_a_while_without_their_issuer_and_then_no_longer() {
    let signer = Signer::p256("e");
    let world = World::of(&[&signer]).await;
    assert!(world.accepts(&signer).await);
    world.server.go_away();
    world.clock.advance(STALE);
    assert!(world.accepts(&signer).await);
    world.clock.advance(GONE - STALE - Duration::from_secs(1));
    assert!(world.accepts(&signer).await);
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(world.error_of(&world.token(&signer)).await, unavailable());
    world.server.come_back();
    assert_eq!(world.error_of(&world.token(&signer)).await, unavailable(), "it was just asked");
    world.clock.advance(RETRY);
    assert!(world.accepts(&signer).await);
}

#[tokio::test]
async fn an_issuer_that_never_answered_is_asked_again_after_a_pause() {
    let signer = Signer::p256("e");
    let world = World::of(&[&signer]).await;
    world.server.go_away();
    for round in 1..=3 {
        for _ in 0..20 {
            assert_eq!(world.error_of(&world.token(&signer)).await, unavailable());
        }
        assert_eq!(world.server.times_asked(), round);
        world.clock.advance(RETRY);
    }
    world.server.come_back();
    assert!(world.accepts(&signer).await);
}

#[tokio::test]
async fn an_issuer_that_took_long_to_fail_is_left_in_peace_too() {
    let signer = Signer::p256("e");
    let world = World::of(&[&signer]).await;
    world.server.go_away();
    world.server.hold();
    let token = world.token(&signer);
    let release = async {
        world.server.is_asked(1).await;
        world.clock.advance(RETRY);
        world.server.let_go();
    };
    let (problem, ()) = tokio::join!(world.error_of(&token), release);
    assert_eq!(problem, unavailable());
    assert_eq!(world.error_of(&token).await, unavailable());
    assert_eq!(world.server.times_asked(), 1);
    world.clock.advance(RETRY);
    assert_eq!(world.error_of(&token).await, unavailable());
    assert_eq!(world.server.times_asked(), 2);
}

#[tokio::test]
async fn nobody_waits_twice_for_an_issuer_that_is_away() {
    let signer = Signer::p256("e");
    let world = World::of(&[&signer]).await;
    assert!(world.accepts(&signer).await);
    world.server.fail(503);
    world.clock.advance(STALE);
    assert!(world.accepts(&signer).await);
    world.server.hold();
    world.clock.advance(RETRY);
    assert!(world.accepts_at_once(&signer), "the keys in memory serve");
    world.server.is_asked(3).await;
    assert!(world.accepts_at_once(&signer));
    world.server.let_go();
}

#[tokio::test]
async fn an_unknown_key_stays_unknown_while_the_issuer_is_away() {
    let (signer, other) = (Signer::p256("e"), Signer::p256("o"));
    let world = World::of(&[&signer]).await;
    assert!(world.accepts(&signer).await);
    world.server.go_away();
    world.clock.advance(Duration::from_secs(10));
    assert_eq!(world.error_of(&world.token(&other)).await, TokenError::UnknownKey);
    assert!(world.accepts(&signer).await);
}

#[tokio::test]
async fn an_answer_that_is_no_set_of_keys_leaves_the_old_ones_and_is_told_once() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_writer(log.clone()).with_ansi(false).finish();
    // For the whole process, since subscribers of single threads are in each other's way; others' lines have other names.
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let signer = Signer::p256("e");
    let world = World::with(&[&signer], |settings| settings.name = "told-once".to_owned()).await;
    assert!(world.accepts(&signer).await);
    let oversize = format!("{{\"keys\":[],\"pad\":\"{}\"}}", "a".repeat(300 * 1024));
    let many = format!("{{\"keys\":[{}]}}", vec!["{}"; 65].join(","));
    world.clock.advance(STALE);
    for body in ["", "<html>", "{}", "{\"keys\":[],\"keys\":[]}", "[]", &oversize, &many] {
        world.server.publish_set(body);
        let asked = world.server.times_asked();
        assert!(world.accepts(&signer).await, "{body:.40}");
        world.server.is_asked(asked + 1).await;
        // What was asked in the background is over when a key that is unknown was looked for.
        world.clock.advance(Duration::from_secs(10));
        let forged = signer.token_with(&serde_json::json!({"kid": "x"}), &world.claims());
        assert_eq!(world.error_of(&forged).await, TokenError::UnknownKey);
        world.clock.advance(RETRY);
    }
    assert_eq!(log.lines_with("WARN"), 1);
    assert_eq!(log.lines_with("fetched again"), 0);
    world.server.publish(&[&signer]);
    world.clock.advance(GONE);
    assert!(world.accepts(&signer).await);
    assert_eq!(log.lines_with("the issuer's keys are fetched again"), 1);
}

#[tokio::test]
async fn other_statuses_than_ok_are_no_keys() {
    let signer = Signer::p256("e");
    for status in [201, 204, 302, 401, 404, 500] {
        let world = World::of(&[&signer]).await;
        let body = serde_json::json!({"keys": [signer.jwk()]}).to_string();
        world.server.answer("/jwks", status, &body);
        assert_eq!(world.error_of(&world.token(&signer)).await, unavailable(), "{status}");
    }
}
