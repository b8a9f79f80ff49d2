//! Replicas that are lost, and which calls are repeated.

use std::time::Duration;

use countersign_testkit::CuttableProxy;
use tonic::Code;

use crate::{
    peer::{Peer, Turn, log_away},
    world::{Front, assert_outage, nobody, reason},
};

#[tokio::test]
async fn a_replica_that_refuses_connections_costs_no_call() {
    let a = Peer::start("a").await;
    let (_held, nobody) = nobody();
    let front = Front::to(&[nobody, a.address]).await;
    for _ in 0..20 {
        // Not even one that must not be carried out twice: it was not delivered.
        assert_eq!(front.change("").await.unwrap(), "a");
    }
    assert_eq!(a.script.count(), 20);
}

#[tokio::test]
async fn without_any_replica_the_caller_learns_that_nothing_was_changed() {
    let (_held, nobody) = nobody();
    let status = Front::to(&[nobody]).await.change("r-1").await.unwrap_err();
    assert_outage(&status);
    assert!(status.message().contains("nothing was changed"), "{status:?}");
}

/// Loses the connection while the call is with the first replica. Returns what the caller got, and how many calls arrived.
async fn lost_midway(request_id: Option<&'static str>) -> (Result<String, tonic::Status>, usize) {
    let (a, b) = (Peer::start("a").await, Peer::start("b").await);
    let mut wire = CuttableProxy::start(a.address).await;
    let front = Front::to(&[wire.address(), b.address]).await;
    a.script.then(Turn::Hang);
    let call = async {
        match request_id {
            None => front.read().await,
            Some(id) => front.change(id).await,
        }
    };
    let lost = async {
        a.script.was_asked(1).await;
        wire.cut().await;
    };
    let (answer, ()) = tokio::join!(call, lost);
    (answer, a.script.count() + b.script.count())
}

#[tokio::test]
async fn a_mutation_without_a_request_id_is_not_repeated_once_it_was_delivered() {
    let (answer, calls) = lost_midway(Some("")).await;
    let status = answer.unwrap_err();
    assert_outage(&status);
    assert!(status.message().contains("may or may not"), "{status:?}");
    assert_eq!(calls, 1);
}

#[tokio::test]
async fn a_mutation_with_a_request_id_is_repeated_at_another_replica() {
    let (answer, calls) = lost_midway(Some("r-1")).await;
    assert_eq!((&*answer.unwrap(), calls), ("b", 2));
}

#[tokio::test]
async fn a_read_is_repeated_at_another_replica() {
    let (answer, calls) = lost_midway(None).await;
    assert_eq!((&*answer.unwrap(), calls), ("b", 2));
}

#[tokio::test]
async fn a_service_that_says_when_to_ask_again_is_asked_again_then() {
    let a = Peer::start("a").await;
    let front = Front::to(&[a.address]).await;
    let wait = Duration::from_millis(150);
    a.script.then(Turn::Fail(log_away(wait)));
    let began = tokio::time::Instant::now();
    assert_eq!(front.read().await.unwrap(), "a");
    assert!(began.elapsed() >= wait);
    assert_eq!(a.script.count(), 2);
}

#[tokio::test]
async fn a_mutation_without_a_request_id_gets_the_answer_of_the_first_replica() {
    let a = Peer::start("a").await;
    let front = Front::to(&[a.address]).await;
    a.script.then(Turn::Fail(log_away(Duration::from_millis(1))));
    assert_eq!(reason(&front.change("").await.unwrap_err()), "LOG_UNAVAILABLE");
    assert_eq!(a.script.count(), 1);
}

#[tokio::test]
async fn a_wait_longer_than_what_is_left_is_not_begun() {
    let a = Peer::start("a").await;
    let front = Front::to(&[a.address]).await;
    a.script.then(Turn::Fail(log_away(Duration::from_secs(60))));
    let began = tokio::time::Instant::now();
    assert_eq!(reason(&front.read().await.unwrap_err()), "LOG_UNAVAILABLE");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(a.script.count(), 1);
}

#[tokio::test]
async fn a_long_wait_is_left_to_the_caller() {
    let a = Peer::start("a").await;
    let front = Front::within(Duration::from_secs(30), &[a.address]).await;
    a.script.then(Turn::Fail(log_away(Duration::from_secs(5))));
    let began = tokio::time::Instant::now();
    assert_eq!(reason(&front.read().await.unwrap_err()), "LOG_UNAVAILABLE");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(a.script.count(), 1);
}

#[tokio::test]
async fn a_call_is_tried_three_times_and_gets_the_last_answer() {
    let a = Peer::start("a").await;
    let front = Front::to(&[a.address]).await;
    for _ in 0..4 {
        a.script.then(Turn::Fail(log_away(Duration::from_millis(1))));
    }
    let status = front.read().await.unwrap_err();
    assert_eq!((status.code(), &*reason(&status)), (Code::Unavailable, "LOG_UNAVAILABLE"));
    assert_eq!(a.script.count(), 3);
}
