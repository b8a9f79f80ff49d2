//! The engine on KurrentDB bears what happens to servers and connections. Over the double of the test kit, which fails on
//! demand.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed test says so by panicking")]

use std::time::{Duration, Instant};

use countersign_eventlog::kurrentdb::KurrentDbLog;
use countersign_eventsourcing::{
    AppendError, Appended, EventLog as _, NewEvent, ReadError, Revision, StreamId, contract::*,
};
use countersign_testkit::KurrentDb;
use futures_util::{StreamExt as _, future::join_all};

/// What no append may exceed, with some room for a busy machine.
const BOUND: Duration = Duration::from_secs(6);

const FOR_EVER: u32 = u32::MAX;

async fn start() -> (KurrentDb, KurrentDbLog, Sample) {
    let server = KurrentDb::start().await;
    let log = KurrentDbLog::open(&server.url()).await.unwrap();
    (server, log, Sample::new())
}

/// Appends until it is done, as a client does that is told to come back.
async fn append_at_last(
    log: &KurrentDbLog,
    stream: &StreamId,
    count: u64,
    events: &[NewEvent],
) -> Appended {
    let began = Instant::now();
    loop {
        match log.append(stream, after(count), events).await {
            Ok(appended) => return appended,
            Err(AppendError::Unavailable(_) | AppendError::Unknown(_)) => {
                assert!(began.elapsed() < BOUND * 3, "the log does not come back");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Err(other) => panic!("{other:?}"),
        }
    }
}

#[track_caller]
fn assert_unavailable(result: &Result<Appended, AppendError>, began: Instant) {
    assert!(matches!(result, Err(AppendError::Unavailable(_))), "{result:?}");
    assert!(began.elapsed() < BOUND, "it took {:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_found_again_and_not_applied_twice() {
    let (server, log, sample) = start().await;
    let stream = sample.stream("k");
    log.append(&stream, after(0), &sample.events(1)).await.unwrap();
    for round in 0..5 {
        let events = sample.events(2);
        server.faults().lose_answers(1);
        let count = 1 + 2 * round;
        let appended = log.append(&stream, after(count), &events).await.unwrap();
        assert_eq!(appended.last_revision, Revision(count + 1));
        assert_eq!(log.append(&stream, after(count), &events).await.unwrap(), appended);
        let last = read(&log, &stream, count + 1).await;
        assert_eq!(last.last().map(|event| event.position), Some(appended.position));
    }
    assert_eq!(server.stored(stream.as_str()).await.len(), 11);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_lost_with_the_server_is_unknown_and_then_found() {
    let (server, log, sample) = start().await;
    let (stream, events) = (sample.stream("k"), sample.events(3));
    log.append(&sample.stream("other"), after(0), &sample.events(1)).await.unwrap();
    server.faults().answer_after(Duration::from_millis(100));
    let append = log.append(&stream, after(0), &events);
    let leave = async {
        while server.stored(stream.as_str()).await.is_empty() {
            server.faults().lose_answers(1);
            tokio::task::yield_now().await;
        }
        server.stop().await;
    };
    let (result, ()) = futures_util::future::join(append, leave).await;
    assert!(matches!(result, Err(AppendError::Unknown(_))), "{result:?}");
    server.start_again().await;
    server.faults().answer_after(Duration::ZERO);
    server.faults().lose_answers(0);
    let appended = append_at_last(&log, &stream, 0, &events).await;
    assert_eq!(appended.last_revision, Revision(2));
    assert_eq!(server.stored(stream.as_str()).await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_does_not_lead_is_unavailable_until_one_does() {
    let (server, log, sample) = start().await;
    let stream = sample.stream("k");
    for count in [0, 1] {
        server.faults().refuse_as_follower(FOR_EVER, server.port());
        let (events, began) = (sample.events(1), Instant::now());
        assert_unavailable(&log.append(&stream, after(count), &events).await, began);
        let read = log.read(&stream, Revision::START).await;
        assert!(matches!(read, Err(ReadError::Unavailable(_))));
        assert_eq!(server.stored(stream.as_str()).await.len() as u64, count);
        server.faults().refuse_as_follower(0, server.port());
        append_at_last(&log, &stream, count, &events).await;
    }
    // One refusal does not even reach the caller.
    server.faults().refuse_as_follower(1, server.port());
    log.append(&stream, after(2), &sample.events(1)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn appends_go_to_whoever_leads_now() {
    let (server, log, sample) = start().await;
    let leader = KurrentDb::start().await;
    let stream = sample.stream("k");
    server.faults().refuse_as_follower(FOR_EVER, leader.port());
    append_at_last(&log, &stream, 0, &sample.events(2)).await;
    assert_eq!(leader.stored(stream.as_str()).await.len(), 2);
    assert_eq!(server.stored(stream.as_str()).await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_ready_is_unavailable_at_once() {
    let (server, log, sample) = start().await;
    let (stream, events) = (sample.stream("k"), sample.events(1));
    server.faults().be_unavailable(FOR_EVER);
    let began = Instant::now();
    assert_unavailable(&log.append(&stream, after(0), &events).await, began);
    assert!(began.elapsed() < Duration::from_secs(1), "it took {:?}", began.elapsed());
    assert!(matches!(log.head().await, Err(ReadError::Unavailable(_))));
    assert!(log.follow(&sample.filter(), None).await.is_err());
    server.faults().be_unavailable(0);
    append_at_last(&log, &stream, 0, &events).await;
    server.faults().be_too_busy(FOR_EVER);
    assert_unavailable(&log.append(&stream, after(1), &sample.events(1)).await, Instant::now());
    server.faults().be_too_busy(1);
    log.append(&stream, after(1), &sample.events(1)).await.unwrap();
    assert_eq!(server.stored(stream.as_str()).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_away_is_unavailable_and_then_comes_back() {
    let (server, log, sample) = start().await;
    let stream = sample.stream("k");
    for count in 0..3 {
        let events = sample.events(1);
        server.stop().await;
        let began = Instant::now();
        let first = log.append(&stream, after(count), &events).await;
        // An idle session may have died unnoticed.
        assert!(
            matches!(first, Err(AppendError::Unavailable(_) | AppendError::Unknown(_))),
            "{first:?}"
        );
        assert!(began.elapsed() < BOUND);
        for _ in 0..3 {
            let began = Instant::now();
            assert_unavailable(&log.append(&stream, after(count), &events).await, began);
        }
        assert!(matches!(log.read(&stream, Revision(0)).await, Err(ReadError::Unavailable(_))));
        server.start_again().await;
        append_at_last(&log, &stream, count, &events).await;
    }
    assert_eq!(read(&log, &stream, 0).await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_answer_is_not_waited_for() {
    let (server, log, sample) = start().await;
    let stream = sample.stream("k");
    log.append(&stream, after(0), &sample.events(1)).await.unwrap();
    server.faults().answer_after(Duration::from_secs(3600));
    // More than may be under way, so that some are never sent.
    let events: Vec<_> = (0..40).map(|_| sample.events(1)).collect();
    let began = Instant::now();
    let appends = events.iter().map(|events| log.append(&stream, after(1), events));
    for appended in join_all(appends).await {
        assert!(
            matches!(appended, Err(AppendError::Unknown(_) | AppendError::Unavailable(_))),
            "{appended:?}"
        );
    }
    assert!(began.elapsed() < BOUND, "it took {:?}", began.elapsed());
    let began = Instant::now();
    assert!(log.read(&stream, Revision::START).await.is_err());
    assert!(began.elapsed() < BOUND, "it took {:?}", began.elapsed());
    server.faults().answer_after(Duration::ZERO);
    append_at_last(&log, &stream, 1, &sample.events(1)).await;
    assert_eq!(read(&log, &stream, 0).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_loses_nothing_else_that_is_under_way() {
    let (server, log, sample) = start().await;
    server.faults().answer_after(Duration::from_millis(10));
    let contended = sample.stream("contended");
    log.append(&contended, after(0), &sample.events(1)).await.unwrap();
    let events: Vec<_> = (0..100).map(|_| sample.events(2)).collect();
    let appends = events.iter().zip(0..).map(|(events, number)| {
        let (log, sample, contended) = (&log, &sample, &contended);
        async move {
            if number % 4 == 0 {
                let result = log.append(contended, after(0), &sample.events(1)).await;
                assert!(matches!(result, Err(AppendError::Conflict { .. })), "{result:?}");
            } else {
                let stream = sample.stream(&format!("k{number}"));
                let appended = log.append(&stream, after(0), events).await.unwrap();
                assert_eq!(appended.last_revision, Revision(1));
            }
        }
    });
    join_all(appends).await;
    server.faults().answer_after(Duration::ZERO);
    let names: Vec<_> = (0..100).map(|number| sample.stream(&format!("k{number}"))).collect();
    let stored = join_all(names.iter().map(|stream| read(&log, stream, 0))).await;
    for ((stored, events), number) in stored.into_iter().zip(&events).zip(0..) {
        let stored: Vec<_> = stored.into_iter().map(|recorded| recorded.event).collect();
        assert_eq!(stored, if number % 4 == 0 { &[] } else { &events[..] });
    }
    assert_eq!(server.stored(contended.as_str()).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_break_lose_and_repeat_no_append() {
    let (server, log, sample) = start().await;
    let writers = (0..8).map(|writer| {
        let (log, sample) = (&log, &sample);
        async move {
            let stream = sample.stream(&format!("k{writer}"));
            for count in 0..40 {
                append_at_last(log, &stream, count, &sample.events(1)).await;
            }
        }
    });
    let breaking = async {
        for _ in 0..10 {
            tokio::time::sleep(Duration::from_millis(15)).await;
            server.faults().break_connections();
        }
    };
    futures_util::future::join(join_all(writers), breaking).await;
    for writer in 0..8 {
        let stream = sample.stream(&format!("k{writer}"));
        assert_eq!(read(&log, &stream, 0).await.len(), 40);
        assert_eq!(server.stored(stream.as_str()).await.len(), 40);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_append_that_nobody_waits_for_any_more_holds_nobody_up() {
    let (server, log, sample) = start().await;
    server.faults().answer_after(Duration::from_millis(50));
    for round in 0..3 {
        let appends: Vec<_> =
            (0..100).map(|n| (sample.stream(&format!("k{round}.{n}")), sample.events(1))).collect();
        let appends = appends.iter().map(|(stream, events)| log.append(stream, after(0), events));
        let waiting = tokio::time::timeout(Duration::from_millis(20), join_all(appends));
        assert!(waiting.await.is_err(), "all were answered already");
    }
    server.faults().answer_after(Duration::ZERO);
    let began = Instant::now();
    log.append(&sample.stream("k"), after(0), &sample.events(1)).await.unwrap();
    assert!(began.elapsed() < BOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_finds_too_large_is_too_large() {
    let (server, log, sample) = start().await;
    server.faults().limit_appends(1000);
    let stream = sample.stream("k");
    match log.append(&stream, after(0), &sample.events(20)).await {
        Err(AppendError::TooLarge { limit, actual }) => assert!(limit < actual),
        other => panic!("{other:?}"),
    }
    assert!(log.read(&stream, Revision::START).await.unwrap().next().await.is_none());
    log.append(&stream, after(0), &sample.events(1)).await.unwrap();
}
