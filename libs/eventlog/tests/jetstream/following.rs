//! What a follower is told besides events, and what it leaves behind.

use std::time::Duration;

use countersign_eventsourcing::{
    EventLog as _, Filter, FollowItem, Position, ReadError,
    contract::{Sample, after, take_until_caught_up},
};
use countersign_testkit::NatsServer;
use futures_util::{StreamExt as _, future::join_all};

use super::{connect, create};

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_that_was_ahead_of_the_log_is_told_so() {
    let server = NatsServer::start().await;
    let (log, sample) = (create(&server.settings()).await, Sample::new());
    assert_eq!(log.head().await.unwrap(), None);
    let beginning = log.follow(&sample.filter(), None).await.unwrap().next().await;
    assert_eq!(beginning.unwrap().unwrap(), FollowItem::CaughtUp(None));
    let first = log.append(&sample.stream("k"), after(0), &sample.events(2)).await.unwrap();
    let beyond = Position(first.position.0 + 1);
    let Err(ReadError::Corrupt(corruption)) = log.follow(&sample.filter(), Some(beyond)).await
    else {
        panic!("a follower went on beyond the log's end")
    };
    assert!(corruption.what.contains("restored from an older copy"), "{corruption}");
    let mut items = log.follow(&sample.filter(), Some(first.position)).await.unwrap();
    let item = items.next().await.unwrap().unwrap();
    assert_eq!(item, FollowItem::CaughtUp(Some(first.position)));
}

#[tokio::test(flavor = "multi_thread")]
async fn following_begins_in_the_middle_of_an_append() {
    let server = NatsServer::start().await;
    let (log, sample) = (create(&server.settings()).await, Sample::new());
    log.append(&sample.stream("k"), after(0), &sample.events(4)).await.unwrap();
    let mut items = log.follow(&sample.filter(), None).await.unwrap();
    let all = take_until_caught_up(&mut items).await;
    for (event, told) in all.iter().zip(1..) {
        let mut items = log.follow(&sample.filter(), Some(event.position)).await.unwrap();
        assert_eq!(take_until_caught_up(&mut items).await, all.get(told..).unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_that_wants_nothing_is_told_how_far_it_has_come() {
    let server = NatsServer::start().await;
    let (log, sample) = (create(&server.settings()).await, Sample::new());
    let write = async |number: usize| {
        for count in 0..50 {
            let stream = sample.stream(&format!("k{number}"));
            log.append(&stream, after(count), &sample.events(1)).await.unwrap();
        }
    };
    join_all((0..24).map(write)).await;
    let filter = Filter { event_types: vec!["unknown".to_owned()], ..sample.filter() };
    let mut items = log.follow(&filter, None).await.unwrap();
    let FollowItem::Checkpoint(checkpoint) = items.next().await.unwrap().unwrap() else {
        panic!("it was told something else")
    };
    let head = log.head().await.unwrap();
    assert_eq!(items.next().await.unwrap().unwrap(), FollowItem::CaughtUp(head));
    // What the checkpoint claims has been passed over is just what is not told from there on.
    let rest = async |after| {
        let mut items = log.follow(&sample.filter(), after).await.unwrap();
        take_until_caught_up(&mut items).await
    };
    assert_eq!(rest(None).await.len(), 1200);
    assert_eq!(rest(Some(checkpoint)).await.len(), 1200 - 1024);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_that_is_dropped_leaves_no_consumer_behind() {
    let server = NatsServer::start().await;
    let (log, sample) = (create(&server.settings()).await, Sample::new());
    let nats = connect(&server.settings()).await;
    let stream = nats.jetstream().get_stream("countersign_log").await.unwrap();
    let consumers = async || stream.get_info().await.unwrap().state.consumer_count;
    let filter = sample.filter();
    let followers = join_all((0..3).map(|_| log.follow(&filter, None))).await;
    assert_eq!(consumers().await, 3);
    drop(followers);
    let gone = async {
        while consumers().await > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    // Far less than it takes until the server removes what is abandoned.
    tokio::time::timeout(Duration::from_secs(10), gone).await.unwrap();
}
