//! The log on JetStream, against real servers: the contract, and what must hold when answers and servers are lost.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed test says so by panicking")]

mod away;
mod contract;
mod failover;
mod following;
mod garbage;
mod killed;
mod lost_answers;
mod model;
mod opening;

use std::time::{Duration, Instant};

use countersign_eventlog::jetstream::JetStreamLog;
use countersign_eventsourcing::{
    AppendError, Appended, EventLog as _, ExpectedRevision, FollowItem, FollowStream, NewEvent,
    ReadError, RecordedEvent, StreamId,
};
use countersign_nats::{Nats, NatsSettings};
use futures_util::StreamExt as _;

/// No append may take longer, whatever happens; a little more than is promised, because the machine is busy.
const LONGEST_APPEND: Duration = Duration::from_millis(3500);

/// No read may.
const LONGEST_READ: Duration = Duration::from_millis(3500);

async fn connect(settings: &NatsSettings) -> Nats {
    Nats::connect(settings).await.unwrap()
}

async fn create(settings: &NatsSettings) -> JetStreamLog {
    JetStreamLog::create(connect(settings).await).await.unwrap()
}

async fn open(settings: &NatsSettings) -> JetStreamLog {
    JetStreamLog::open(connect(settings).await).await.unwrap()
}

/// Awaits `asked`, which must not take longer than `longest`.
async fn within<T>(longest: Duration, asked: impl Future<Output = T>) -> T {
    let began = Instant::now();
    let answer = asked.await;
    assert!(began.elapsed() < longest, "took {:?}", began.elapsed());
    answer
}

/// Appends the same events again and again until they are stored. Returns how often that failed.
async fn append_until_stored(
    log: &JetStreamLog,
    stream: &StreamId,
    expected: ExpectedRevision,
    events: &[NewEvent],
) -> (Appended, usize) {
    let mut failures = 0;
    loop {
        match within(LONGEST_APPEND, log.append(stream, expected, events)).await {
            Ok(appended) => return (appended, failures),
            Err(AppendError::Unavailable(_) | AppendError::Unknown(_)) => failures += 1,
            Err(error) => panic!("{error:?} at {expected:?}"),
        }
        assert!(failures < 10_000, "the log does not come back");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Returns the next event that a follower is told, whatever else it is told before.
async fn next_event(items: &mut FollowStream) -> RecordedEvent {
    loop {
        match items.next().await.unwrap().unwrap() {
            FollowItem::Event(event) => return event,
            FollowItem::Poison(poison) => panic!("{poison:?}"),
            FollowItem::CaughtUp(_) | FollowItem::Checkpoint(_) => {}
        }
    }
}

fn assert_unavailable<T>(result: Result<T, ReadError>) {
    match result {
        Err(ReadError::Unavailable(_)) => {}
        Err(error) => panic!("{error:?}"),
        Ok(_) => panic!("it was read"),
    }
}
