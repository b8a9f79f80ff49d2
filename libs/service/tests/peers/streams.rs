//! Answers that come message by message.

use std::time::Duration;

use countersign_proto::audit::{
    ReplayEventsRequest, ReplayEventsResponse, replay_events_response::Item,
};
use countersign_testkit::CuttableProxy;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tonic::{Status, Streaming};

use crate::{
    peer::{Peer, Turn, log_away},
    world::{Front, assert_outage},
};

type Speaker = UnboundedSender<Result<ReplayEventsResponse, Status>>;

fn speak(peer: &Peer) -> Speaker {
    let (speaker, messages) = unbounded_channel();
    peer.script.then(Turn::Stream(messages));
    speaker
}

fn message(position: u64) -> ReplayEventsResponse {
    ReplayEventsResponse { item: Some(Item::CaughtUpPosition(position)) }
}

async fn follow(front: &Front) -> Result<Streaming<ReplayEventsResponse>, Status> {
    let response = front.audit().replay_events(ReplayEventsRequest::default()).await?;
    Ok(response.into_inner())
}

#[tokio::test]
async fn messages_are_passed_on_as_they_come() {
    let a = Peer::start("a").await;
    let front = Front::to(&[a.address]).await;
    let speaker = speak(&a);
    speaker.send(Ok(message(1))).unwrap();
    let mut heard = follow(&front).await.unwrap();
    for position in 1..=3 {
        assert_eq!(heard.message().await.unwrap(), Some(message(position)));
        // Only now, so that a proxy that collects would never get here.
        speaker.send(Ok(message(position + 1))).unwrap();
    }
    assert_eq!(heard.message().await.unwrap(), Some(message(4)));
    drop(speaker);
    assert_eq!(heard.message().await.unwrap(), None);
}

#[tokio::test]
async fn a_stream_that_has_nothing_to_say_yet_begins_all_the_same() {
    let a = Peer::start("a").await;
    let front = Front::to(&[a.address]).await;
    let speaker = speak(&a);
    let mut heard = follow(&front).await.unwrap();
    speaker.send(Ok(message(1))).unwrap();
    assert_eq!(heard.message().await.unwrap(), Some(message(1)));
}

#[tokio::test]
async fn a_stream_outlives_the_limit_of_requests() {
    let a = Peer::start("a").await;
    let limit = Duration::from_millis(400);
    let front = Front::within(limit, &[a.address]).await;
    let speaker = speak(&a);
    speaker.send(Ok(message(1))).unwrap();
    let mut heard = follow(&front).await.unwrap();
    heard.message().await.unwrap();
    tokio::time::pause();
    tokio::time::advance(limit * 2).await;
    tokio::time::resume();
    speaker.send(Ok(message(2))).unwrap();
    assert_eq!(heard.message().await.unwrap(), Some(message(2)));
}

#[tokio::test]
async fn a_stream_that_fails_before_its_first_message_is_begun_again() {
    let a = Peer::start("a").await;
    let front = Front::to(&[a.address]).await;
    let wait = Duration::from_millis(1);
    // Once before the headers, once after them.
    a.script.then(Turn::Fail(log_away(wait)));
    speak(&a).send(Err(log_away(wait))).unwrap();
    speak(&a).send(Ok(message(1))).unwrap();
    let mut heard = follow(&front).await.unwrap();
    assert_eq!(heard.message().await.unwrap(), Some(message(1)));
    assert_eq!(heard.message().await.unwrap(), None);
    assert_eq!(a.script.count(), 3);
}

#[tokio::test]
async fn a_stream_that_is_lost_midway_ends_with_an_outage() {
    let a = Peer::start("a").await;
    let mut wire = CuttableProxy::start(a.address).await;
    let front = Front::to(&[wire.address()]).await;
    let speaker = speak(&a);
    speaker.send(Ok(message(1))).unwrap();
    let mut heard = follow(&front).await.unwrap();
    assert_eq!(heard.message().await.unwrap(), Some(message(1)));
    wire.cut().await;
    assert_outage(&heard.message().await.unwrap_err());
    assert_eq!(a.script.count(), 1);
}

#[tokio::test]
async fn a_caller_who_hangs_up_ends_the_stream_at_the_peer() {
    let a = Peer::start("a").await;
    let front = Front::to(&[a.address]).await;
    let speaker = speak(&a);
    speaker.send(Ok(message(1))).unwrap();
    let mut heard = follow(&front).await.unwrap();
    heard.message().await.unwrap();
    drop(heard);
    speaker.closed().await;
}
