//! Following a log on KurrentDB: across broken connections, past what others put there, and not further than the log goes.
//! Over the double of the test kit.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed test says so by panicking")]

use std::time::Duration;

use countersign_core::TenantId;
use countersign_eventlog::kurrentdb::{KurrentDbLog, OpenError};
use countersign_eventsourcing::{
    EventLog as _, Filter, FollowItem, FollowStream, Poison, Position, ReadError, RecordedEvent,
    Revision, StreamId, contract::*,
};
use countersign_testkit::KurrentDb;
use futures_util::{StreamExt as _, TryStreamExt as _};

async fn start() -> (KurrentDb, KurrentDbLog, Sample) {
    let server = KurrentDb::start().await;
    let log = KurrentDbLog::open(&server.url()).await.unwrap();
    (server, log, Sample::new())
}

/// Takes items up to and with "caught up".
async fn items_until_caught_up(items: &mut FollowStream) -> Vec<FollowItem> {
    let mut taken = Vec::new();
    while !matches!(taken.last(), Some(FollowItem::CaughtUp(_))) {
        taken.push(items.next().await.unwrap().unwrap());
    }
    taken
}

/// Follows as a projection does: whenever it ends with an error, it begins again after the last item.
async fn follow_on(log: &KurrentDbLog, filter: &Filter, wanted: usize) -> Vec<RecordedEvent> {
    let (mut events, mut checkpoint) = (Vec::new(), None);
    while events.len() < wanted {
        let Ok(mut items) = log.follow(filter, checkpoint).await else {
            tokio::time::sleep(Duration::from_millis(5)).await;
            continue;
        };
        while events.len() < wanted
            && let Some(Ok(item)) = items.next().await
        {
            match item {
                FollowItem::Event(event) => {
                    checkpoint = Some(event.position);
                    events.push(event);
                }
                FollowItem::Checkpoint(position) => checkpoint = Some(position),
                FollowItem::CaughtUp(position) => checkpoint = position,
                FollowItem::Poison(poison) => panic!("{poison:?}"),
            }
        }
    }
    events
}

#[tokio::test(flavor = "multi_thread")]
async fn following_across_broken_connections_has_no_gap_and_no_repeat() {
    let (server, log, sample) = start().await;
    let stream = sample.stream("k");
    // The writer has a connection of its own, over which it asks again until it is done.
    let writer = KurrentDbLog::open(&server.url()).await.unwrap();
    let writing = async {
        for count in 0..300 {
            let events = sample.events(1);
            while writer.append(&stream, after(count), &events).await.is_err() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            if count % 20 == 7 {
                server.faults().break_connections();
            }
            if count % 100 == 50 {
                server.stop().await;
                server.start_again().await;
            }
        }
    };
    let (told, ()) =
        futures_util::future::join(follow_on(&log, &sample.filter(), 300), writing).await;
    assert!(told.iter().zip(0..).all(|(event, revision)| event.revision == Revision(revision)));
    assert_eq!(told, read(&log, &stream, 0).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_handed_over_in_its_place_and_passed() {
    let (server, log, sample) = start().await;
    let stream = sample.stream("k");
    log.append(&stream, after(0), &sample.events(1)).await.unwrap();
    let genuine = server.stored(stream.as_str()).await.remove(0);
    // By another application; with a payload that is not the checksum's; and one that was copied to another place.
    server.put(stream.as_str(), "happened", b"junk", b"").await;
    server.put(stream.as_str(), "happened", b"altered", &genuine.metadata).await;
    server.put(stream.as_str(), "happened", &genuine.data, &genuine.metadata).await;
    log.append(&stream, after(4), &sample.events(1)).await.unwrap();
    let mut items = log.follow(&sample.filter(), None).await.unwrap();
    let told = items_until_caught_up(&mut items).await;
    let poisons: Vec<&Poison> = told
        .iter()
        .filter_map(|item| match item {
            FollowItem::Poison(poison) => Some(poison),
            FollowItem::Event(_) | FollowItem::CaughtUp(_) | FollowItem::Checkpoint(_) => None,
        })
        .collect();
    let [junk, altered, copied] = poisons[..] else { panic!("{told:?}") };
    assert_eq!(junk.place, format!("{stream} revision 1"));
    assert_eq!(&junk.bytes[..], b"junk");
    assert!(junk.what.contains("metadata"), "{junk:?}");
    assert!(altered.what.contains("checksum"), "{altered:?}");
    assert!(copied.what.contains("checksum"), "{copied:?}");
    assert!(matches!(told.last(), Some(FollowItem::CaughtUp(Some(at))) if *at > copied.position));
    // Resuming after one of them goes on with the next.
    let mut items = log.follow(&sample.filter(), Some(copied.position)).await.unwrap();
    let rest = take_until_caught_up(&mut items).await;
    assert_eq!(rest.iter().map(|event| event.revision.0).collect::<Vec<_>>(), [4]);
    // Whoever needs the stream whole is told where it is damaged.
    let all: Result<Vec<_>, _> =
        log.read(&stream, Revision::START).await.unwrap().try_collect().await;
    match all {
        Err(ReadError::Corrupt(corruption)) => {
            assert_eq!(corruption.place, format!("{stream} revision 1"));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_of_others_are_not_told() {
    let (server, log, sample) = start().await;
    for stream in ["$stats-0", "$$user-acme.k", "orders-1", "user-ACME.k", "shop.cart-1", "a"] {
        server.put(stream, "happened", b"{}", b"{}").await;
    }
    log.append(&sample.stream("k"), after(0), &sample.events(1)).await.unwrap();
    let head = log.head().await.unwrap();
    server.put("orders-1", "happened", b"{}", b"{}").await;
    assert_eq!(log.head().await.unwrap(), head);
    let mut items = log.follow(&Filter::default(), None).await.unwrap();
    let told = items_until_caught_up(&mut items).await;
    assert!(matches!(told[..], [FollowItem::Event(_), FollowItem::CaughtUp(_)]), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_of_little_is_told_how_far_the_log_is() {
    let (_server, log, sample) = start().await;
    assert_eq!(log.head().await.unwrap(), None);
    let (rare, common) = (sample.stream_in("rare", "k"), sample.stream_in("common", "k"));
    log.append(&rare, after(0), &sample.events(1)).await.unwrap();
    for count in 0..10 {
        log.append(&common, after(count * 300), &sample.events(300)).await.unwrap();
    }
    log.append(&rare, after(1), &sample.events(1)).await.unwrap();
    let filter = Filter::category("rare");
    let mut items = log.follow(&filter, None).await.unwrap();
    let told = items_until_caught_up(&mut items).await;
    let checkpoints: Vec<Position> = told
        .iter()
        .filter_map(|item| match item {
            FollowItem::Checkpoint(position) => Some(*position),
            FollowItem::Event(_) | FollowItem::CaughtUp(_) | FollowItem::Poison(_) => None,
        })
        .collect();
    assert!(!checkpoints.is_empty());
    assert_eq!(told.last(), Some(&FollowItem::CaughtUp(log.head().await.unwrap())));
    for checkpoint in checkpoints {
        let mut items = log.follow(&filter, Some(checkpoint)).await.unwrap();
        assert_eq!(take_until_caught_up(&mut items).await, read(&log, &rare, 1).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_that_has_seen_more_than_there_is_is_told_so() {
    let (_server, log, sample) = start().await;
    let appended = log.append(&sample.stream("k"), after(0), &sample.events(1)).await.unwrap();
    let beyond = Position(appended.position.0 + 128);
    let result = log.follow(&sample.filter(), Some(beyond)).await;
    assert!(matches!(result, Err(ReadError::Corrupt(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_keeps_its_name_and_another_server_has_another() {
    let (server, log, _) = start().await;
    let again = futures_util::future::join_all(
        (0..4).map(async |_| KurrentDbLog::open(&server.url()).await.unwrap().id()),
    );
    assert!(again.await.into_iter().all(|id| id == log.id()));
    let (_other, another, _) = start().await;
    assert_ne!(another.id(), log.id());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_says_something_else_or_nothing_is_not_opened() {
    let server = KurrentDb::start().await;
    server.put("countersign-log", "something", b"", b"").await;
    let foreign = KurrentDbLog::open(&server.url()).await;
    assert!(matches!(foreign, Err(OpenError::Foreign { .. })), "{foreign:?}");
    server.stop().await;
    let away = KurrentDbLog::open(&server.url()).await;
    assert!(matches!(away, Err(OpenError::Unavailable(_))), "{away:?}");
}

/// Never edited: logs in this form exist.
const GOLDEN: &str = include_str!("golden/kurrentdb.v1.json");

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_stored_as_it_always_was() {
    let (server, log, sample) = start().await;
    let tenant = TenantId::parse("acme-eu").unwrap();
    let stream = StreamId::new("challenges", &tenant, "0a1b.c").unwrap();
    let mut event = sample.event();
    event.id = uuid::Uuid::from_u128(0x0192_3c4d_5e6f_7a8b_9c0d_1e2f_3a4b_5c6d);
    event.payload = b"\x0a\x04\x00\xff\xfe\x01 payload".as_slice().into();
    log.append(&stream, after(0), &[event.clone()]).await.unwrap();
    let stored = server.stored(stream.as_str()).await.remove(0);
    assert_eq!(std::str::from_utf8(&stored.metadata).unwrap(), GOLDEN.trim());
    assert_eq!(stored.event_type, "happened");
    assert_eq!(stored.content_type, "application/octet-stream");
    assert_eq!(stored.data, event.payload);
}
