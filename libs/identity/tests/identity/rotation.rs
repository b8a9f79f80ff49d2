//! Keys that are fetched by one for all, rotated, and taken back.

use std::time::Duration;

use countersign_core::Clock as _;
use countersign_identity::TokenError;
use futures_util::future::join_all;
use serde_json::json;

use crate::{
    signing::Signer,
    world::{DUE, STALE, World},
};

/// How long strangers' keys are no reason to ask again.
const PAUSE: Duration = Duration::from_secs(10);

#[tokio::test]
async fn keys_are_fetched_once_for_all_who_wait() {
    let signer = Signer::p256("e");
    let world = World::of(&[&signer]).await;
    world.server.hold();
    let waiting = join_all((0..64).map(|_| world.accepts(&signer)));
    let release = async {
        world.server.is_asked(1).await;
        world.server.let_go();
    };
    let (accepted, ()) = tokio::join!(waiting, release);
    assert!(accepted.into_iter().all(|accepted| accepted));
    assert_eq!(world.server.times_asked(), 1);
}

#[tokio::test]
async fn keys_serve_from_memory_until_they_are_due() {
    let signer = Signer::p256("e");
    let world = World::of(&[&signer]).await;
    assert!(world.accepts(&signer).await);
    world.clock.advance(DUE - Duration::from_secs(1));
    assert!(world.accepts(&signer).await);
    assert_eq!(world.server.times_asked(), 1);
}

#[tokio::test]
async fn keys_that_are_due_serve_while_they_are_fetched_again() {
    let signer = Signer::p256("e");
    let world = World::of(&[&signer]).await;
    assert!(world.accepts(&signer).await);
    world.clock.advance(DUE);
    world.server.hold();
    assert!(world.accepts_at_once(&signer));
    world.server.is_asked(2).await;
    assert!(world.accepts_at_once(&signer));
    assert_eq!(world.server.times_asked(), 2);
    world.server.let_go();
}

#[tokio::test]
async fn a_new_key_is_accepted_as_soon_as_it_is_used() {
    let (old, new) = (Signer::p256("old"), Signer::p256("new"));
    let world = World::of(&[&old]).await;
    assert!(world.accepts(&old).await);
    world.server.publish(&[&new, &old]);
    world.clock.advance(PAUSE);
    assert!(world.accepts(&new).await);
    assert!(world.accepts(&old).await);
    assert_eq!(world.server.times_asked(), 2);
}

#[tokio::test]
async fn an_only_key_without_a_name_is_rotated_too() {
    let (old, new) = (Signer::p256("").unnamed(), Signer::p256("").unnamed());
    let world = World::of(&[&old]).await;
    assert!(world.accepts(&old).await);
    world.server.publish(&[&new]);
    world.clock.advance(PAUSE);
    assert!(world.accepts(&new).await);
    assert_eq!(world.error_of(&world.token(&old)).await, TokenError::BadSignature);
}

#[tokio::test]
async fn a_key_that_was_taken_back_is_refused_after_the_next_look() {
    let (old, new) = (Signer::p256("old"), Signer::p256("new"));
    let world = World::of(&[&old]).await;
    assert!(world.accepts(&old).await);
    world.server.publish(&[&new]);
    assert!(world.accepts(&old).await, "nobody has looked");
    world.clock.advance(STALE);
    assert!(!world.accepts(&old).await);
    assert!(world.accepts(&new).await);
}

#[tokio::test]
async fn an_issuer_can_take_back_all_keys() {
    let signer = Signer::p256("e");
    let world = World::of(&[&signer]).await;
    assert!(world.accepts(&signer).await);
    world.server.publish(&[]);
    world.clock.advance(STALE);
    assert_eq!(world.error_of(&world.token(&signer)).await, TokenError::UnknownKey);
    let unnamed = signer.sign(r#"{"alg":"ES256"}"#, &world.claims().to_string());
    assert_eq!(world.error_of(&unnamed).await, TokenError::UnknownKey);
}

#[tokio::test]
async fn strangers_cannot_make_us_a_burden_to_the_issuer() {
    let (signer, stranger) = (Signer::p256("e"), Signer::p256("s"));
    let world = World::of(&[&signer]).await;
    let forged = |number: usize| {
        let kid = json!({"kid": format!("made-up-{number}")});
        stranger.token_with(&kid, &world.claims())
    };
    for round in 1..=3 {
        let tokens: Vec<_> = (0..100).map(forged).collect();
        for problem in join_all(tokens.iter().map(|token| world.error_of(token))).await {
            assert_eq!(problem, TokenError::UnknownKey);
        }
        assert_eq!(world.server.times_asked(), round);
        assert!(world.accepts(&signer).await);
        world.clock.advance(PAUSE - Duration::from_secs(1));
        assert_eq!(world.error_of(&forged(0)).await, TokenError::UnknownKey);
        assert_eq!(world.server.times_asked(), round);
        world.clock.advance(Duration::from_secs(1));
    }
}

#[tokio::test]
async fn nobody_waits_for_an_answer_that_somebody_gave_up() {
    let signer = Signer::p256("e");
    let world = World::of(&[&signer]).await;
    world.server.hold();
    let token = world.token(&signer);
    let issuers = world.issuers.clone();
    let caller = tokio::spawn(async move { issuers.verify(&token).await });
    world.server.is_asked(1).await;
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    world.server.let_go();
    assert!(world.accepts(&signer).await);
    assert_eq!(world.server.times_asked(), 1);
}

#[tokio::test]
async fn a_clock_that_is_put_back_does_not_keep_keys_for_ever() {
    let (old, new) = (Signer::p256("old"), Signer::p256("new"));
    let world = World::of(&[&old]).await;
    let start = world.clock.now();
    world.clock.advance(Duration::from_secs(50_000));
    assert!(world.accepts(&old).await);
    world.clock.set(start);
    assert!(world.accepts(&old).await);
    world.server.publish(&[&new]);
    world.clock.advance(STALE);
    assert!(!world.accepts(&old).await);
    assert!(world.accepts(&new).await);
}
