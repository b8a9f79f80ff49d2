//! The suite that gives [`EventLog`] its meaning. Every engine runs all of it, against the real thing:
//!
//! ```ignore
//! countersign_eventsourcing::event_log_contract!(|| async { MyHarness::start().await });
//! ```
//!
//! A log may hold other events already: each check keeps to a tenant of its own and follows from the head on.

use std::{
    hash::{BuildHasher as _, RandomState},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use bytes::Bytes;
use countersign_core::{TenantId, Timestamp};
use futures_util::{
    StreamExt as _, TryStreamExt as _,
    future::{join, join_all},
};
use uuid::Uuid;

use crate::{
    AppendError, Appended, EventLog, ExpectedRevision, Filter, FollowItem, FollowStream, Metadata,
    NewEvent, Position, RecordedEvent, Revision, StreamId,
};

/// What the suite needs of an engine besides the port.
#[async_trait]
pub trait Harness: Send + Sync {
    /// Returns the log that is open.
    fn log(&self) -> Arc<dyn EventLog>;

    /// Closes the log and opens it again, as when the process is started anew.
    async fn reopen(&mut self);

    /// Returns how many bytes of payload are certainly too many for one append.
    fn too_many_bytes(&self) -> usize {
        8 * 1024 * 1024
    }
}

/// Runs the whole suite against the harnesses that `$factory` makes; it is called without arguments and awaited.
#[macro_export]
macro_rules! event_log_contract {
    ($factory:expr) => {
        $crate::event_log_contract! {
            $factory;
            a_stale_revision_conflicts_with_the_actual_one
            one_of_64_concurrent_writers_wins
            a_stream_is_read_in_order_from_any_place
            following_tells_all_events_in_one_order
            live_events_follow_after_having_caught_up
            following_resumes_after_a_position
            a_repeated_append_answers_as_the_first_time
            other_ids_at_the_same_place_conflict
            several_events_are_stored_together_or_not_at_all
            odd_names_and_sizes_come_back_as_they_were
            too_large_an_append_is_refused_and_stores_nothing
            a_follower_is_told_what_its_filter_wants
            nothing_acknowledged_is_lost_by_reopening
        }
    };
    ($factory:expr; $($check:ident)+) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $check() {
                $crate::contract::$check(&mut ($factory)().await).await;
            }
        )+
    };
}

/// Makes names and events of one check.
#[derive(Debug)]
pub struct Sample {
    tenant: TenantId,
    next_id: AtomicU64,
}

impl Default for Sample {
    fn default() -> Self {
        Self::new()
    }
}

impl Sample {
    /// Begins with a tenant that no other check has used, nor an earlier run.
    ///
    /// # Panics
    /// Never: the name is in a tenant's form.
    #[must_use]
    #[expect(clippy::unwrap_used, reason = "a failed test says so by panicking")]
    pub fn new() -> Self {
        let random = RandomState::new();
        let tenant = format!("t{:016x}{:016x}", random.hash_one(0), random.hash_one(1));
        Self { tenant: TenantId::parse(&tenant).unwrap(), next_id: AtomicU64::new(0) }
    }

    /// Returns the tenant.
    #[must_use]
    pub const fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// Names a stream in the category `user`.
    ///
    /// # Panics
    /// If `key` is not in a key's form.
    #[must_use]
    pub fn stream(&self, key: &str) -> StreamId {
        self.stream_in("user", key)
    }

    /// Names a stream.
    ///
    /// # Panics
    /// If `category` or `key` is not in its form.
    #[must_use]
    #[expect(clippy::unwrap_used, reason = "a failed test says so by panicking")]
    pub fn stream_in(&self, category: &str, key: &str) -> StreamId {
        StreamId::new(category, &self.tenant, key).unwrap()
    }

    /// Makes an event of type `happened` with an id of its own.
    #[must_use]
    pub fn event(&self) -> NewEvent {
        let number = self.next_id.fetch_add(1, Ordering::Relaxed);
        let id = Uuid::new_v5(
            &Uuid::new_v5(&Uuid::NAMESPACE_OID, self.tenant.as_str().as_bytes()),
            &number.to_be_bytes(),
        );
        NewEvent {
            id,
            event_type: "happened".into(),
            schema_version: 3,
            payload: Bytes::from(format!("payload {number}")),
            metadata: Metadata {
                recorded_at: Timestamp::from_unix_micros(1_700_000_000_123_456),
                correlation_id: Uuid::from_u128(1),
                causation_id: Uuid::from_u128(2),
                requester: "api-key:test".into(),
                traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into(),
                request_digest: u64::MAX,
            },
        }
    }

    /// Makes `count` events.
    #[must_use]
    pub fn events(&self, count: usize) -> Vec<NewEvent> {
        (0..count).map(|_| self.event()).collect()
    }

    /// Wants this sample's events.
    #[must_use]
    pub fn filter(&self) -> Filter {
        Filter { tenant: Some(self.tenant.clone()), ..Filter::default() }
    }
}

/// Says where a stream with `count` events is expected to be.
#[must_use]
pub fn after(count: u64) -> ExpectedRevision {
    count
        .checked_sub(1)
        .map_or(ExpectedRevision::NoStream, |last| ExpectedRevision::Exact(Revision(last)))
}

/// Reads a whole stream.
///
/// # Panics
/// If it cannot be read.
#[expect(clippy::unwrap_used, reason = "a failed test says so by panicking")]
pub async fn read(log: &dyn EventLog, stream: &StreamId, from: u64) -> Vec<RecordedEvent> {
    log.read(stream, Revision(from)).await.unwrap().try_collect().await.unwrap()
}

/// Takes items until `count` events have come, and returns those.
///
/// # Panics
/// If following fails or ends before.
#[expect(clippy::unwrap_used, reason = "a failed test says so by panicking")]
pub async fn take_events(items: &mut FollowStream, count: usize) -> Vec<RecordedEvent> {
    let mut events = Vec::new();
    while events.len() < count {
        if let FollowItem::Event(event) = items.next().await.unwrap().unwrap() {
            events.push(event);
        }
    }
    events
}

/// Takes items until it has caught up, and returns the events before.
///
/// # Panics
/// If following fails or ends before.
#[expect(clippy::unwrap_used, reason = "a failed test says so by panicking")]
pub async fn take_until_caught_up(items: &mut FollowStream) -> Vec<RecordedEvent> {
    let mut events = Vec::new();
    loop {
        match items.next().await.unwrap().unwrap() {
            FollowItem::Event(event) => events.push(event),
            FollowItem::CaughtUp(_) => return events,
            FollowItem::Checkpoint(_) => {}
        }
    }
}

fn new_events(recorded: &[RecordedEvent]) -> Vec<NewEvent> {
    recorded.iter().map(|recorded| recorded.event.clone()).collect()
}

#[expect(clippy::panic, reason = "a failed test says so by panicking")]
#[track_caller]
fn assert_conflict(result: Result<Appended, AppendError>, expected: Option<u64>) {
    match result {
        Err(AppendError::Conflict { actual }) => assert_eq!(actual, expected.map(Revision)),
        other => panic!("expected a conflict, got {other:?}"),
    }
}

/// Checks what its name says.
///
/// # Panics
/// If it is not so. This holds for all checks.
#[expect(clippy::unwrap_used, reason = "a failed test says so by panicking")]
pub async fn a_stale_revision_conflicts_with_the_actual_one(harness: &mut impl Harness) {
    let (log, sample) = (harness.log(), Sample::new());
    let stream = sample.stream("k");
    assert_conflict(log.append(&stream, after(1), &sample.events(1)).await, None);
    assert_conflict(log.append(&stream, after(7), &sample.events(2)).await, None);
    log.append(&stream, after(0), &sample.events(3)).await.unwrap();
    assert_conflict(log.append(&stream, after(0), &sample.events(1)).await, Some(2));
    assert_conflict(log.append(&stream, after(2), &sample.events(1)).await, Some(2));
    assert_conflict(log.append(&stream, after(4), &sample.events(1)).await, Some(2));
    assert_eq!(read(&*log, &stream, 0).await.len(), 3);
    let appended = log.append(&stream, after(3), &sample.events(1)).await.unwrap();
    assert_eq!(appended.last_revision, Revision(3));
}

/// Checks what its name says.
///
/// # Panics
/// If it is not so.
#[expect(clippy::unwrap_used, reason = "a failed test says so by panicking")]
pub async fn one_of_64_concurrent_writers_wins(harness: &mut impl Harness) {
    let (log, sample) = (harness.log(), Sample::new());
    let stream = sample.stream("k");
    for round in 0..4_u64 {
        let events: Vec<_> = (0..64).map(|_| sample.events(1)).collect();
        let racing = events.iter().map(|events| log.append(&stream, after(round), events));
        let results = join_all(racing).await;
        let winners: Vec<_> = (0..64).filter(|i| results.get(*i).unwrap().is_ok()).collect();
        assert_eq!(winners.len(), 1, "{results:?}");
        for result in results {
            if result.is_err() {
                assert_conflict(result, Some(round));
            }
        }
        let stored = read(&*log, &stream, round).await;
        assert_eq!(&new_events(&stored), events.get(*winners.first().unwrap()).unwrap());
    }
}

/// Checks what its name says.
///
/// # Panics
/// If it is not so.
#[expect(clippy::unwrap_used, reason = "a failed test says so by panicking")]
pub async fn a_stream_is_read_in_order_from_any_place(harness: &mut impl Harness) {
    let (log, sample) = (harness.log(), Sample::new());
    // Names of which one is the beginning of the other must not run into each other.
    let (stream, neighbour) = (sample.stream("k"), sample.stream("k.k"));
    assert!(read(&*log, &stream, 0).await.is_empty());
    let events = sample.events(300);
    for (chunk, count) in events.chunks(3).zip((0..).step_by(3)) {
        log.append(&stream, after(count), chunk).await.unwrap();
        log.append(&neighbour, after(count / 3), &sample.events(1)).await.unwrap();
    }
    for from in [0_u64, 1, 150, 299, 300, 301, u64::MAX] {
        let skipped = usize::try_from(from).unwrap();
        let stored = read(&*log, &stream, from).await;
        let wanted: Vec<_> = events.iter().skip(skipped).cloned().collect();
        assert_eq!(new_events(&stored), wanted, "from {from}");
        for (recorded, revision) in stored.iter().zip(from..) {
            assert_eq!(recorded.revision, Revision(revision));
            assert_eq!(recorded.stream, stream);
        }
    }
}

/// Checks what its name says.
///
/// # Panics
/// If it is not so.
#[expect(clippy::unwrap_used, reason = "a failed test says so by panicking")]
pub async fn following_tells_all_events_in_one_order(harness: &mut impl Harness) {
    let (log, sample) = (harness.log(), Sample::new());
    let start = log.head().await.unwrap();
    let writers = (0..8).map(|writer| {
        let (log, sample) = (&log, &sample);
        async move {
            let stream = sample.stream(&format!("k{writer}"));
            for count in 0..50 {
                log.append(&stream, after(count * 2), &sample.events(2)).await.unwrap();
            }
        }
    });
    join_all(writers).await;
    let mut items = log.follow(&sample.filter(), start).await.unwrap();
    let told = take_until_caught_up(&mut items).await;
    assert_eq!(told.len(), 800);
    assert!(told.is_sorted_by(|a, b| a.position < b.position));
    for writer in 0..8 {
        let stream = sample.stream(&format!("k{writer}"));
        let of_stream: Vec<_> =
            told.iter().filter(|event| event.stream == stream).cloned().collect();
        assert_eq!(of_stream, read(&*log, &stream, 0).await);
        assert_eq!(of_stream.len(), 100);
        assert!(of_stream.iter().zip(0..).all(|(event, revision)| event.revision.0 == revision));
    }
    let mut again = log.follow(&sample.filter(), start).await.unwrap();
    assert_eq!(take_until_caught_up(&mut again).await, told);
}

/// Checks what its name says.
///
/// # Panics
/// If it is not so.
#[expect(clippy::unwrap_used, reason = "a failed test says so by panicking")]
pub async fn live_events_follow_after_having_caught_up(harness: &mut impl Harness) {
    let (log, sample) = (harness.log(), Sample::new());
    let start = log.head().await.unwrap();
    let stream = sample.stream("k");
    log.append(&stream, after(0), &sample.events(2)).await.unwrap();
    let mut items = log.follow(&sample.filter(), start).await.unwrap();
    let mut told = take_until_caught_up(&mut items).await;
    assert_eq!(told.len(), 2);
    let append = async {
        for count in 2..200 {
            log.append(&stream, after(count), &sample.events(1)).await.unwrap();
        }
    };
    let (live, ()) = join(take_events(&mut items, 198), append).await;
    told.extend(live);
    assert_eq!(told, read(&*log, &stream, 0).await);
    assert!(told.last().map(|event| event.position) <= log.head().await.unwrap());
}

/// Checks what its name says.
///
/// # Panics
/// If it is not so.
#[expect(clippy::unwrap_used, reason = "a failed test says so by panicking")]
pub async fn following_resumes_after_a_position(harness: &mut impl Harness) {
    let (log, sample) = (harness.log(), Sample::new());
    let start = log.head().await.unwrap();
    let stream = sample.stream("k");
    for count in 0..20 {
        log.append(&stream, after(count), &sample.events(1)).await.unwrap();
    }
    let all = read(&*log, &stream, 0).await;
    let mut items = log.follow(&sample.filter(), start).await.unwrap();
    let before = take_events(&mut items, 7).await;
    drop((items, log));
    harness.reopen().await;
    let log = harness.log();
    let resume_at = before.last().map(|event| event.position);
    let mut items = log.follow(&sample.filter(), resume_at).await.unwrap();
    let rest = take_until_caught_up(&mut items).await;
    assert_eq!([before, rest].concat(), all);
    let mut at_end = log.follow(&sample.filter(), log.head().await.unwrap()).await.unwrap();
    assert!(take_until_caught_up(&mut at_end).await.is_empty());
}

/// Checks what its name says.
///
/// # Panics
/// If it is not so.
#[expect(clippy::unwrap_used, reason = "a failed test says so by panicking")]
pub async fn a_repeated_append_answers_as_the_first_time(harness: &mut impl Harness) {
    let (log, sample) = (harness.log(), Sample::new());
    let stream = sample.stream("k");
    let (first, second) = (sample.events(2), sample.events(3));
    let one = log.append(&stream, after(0), &first).await.unwrap();
    assert_eq!(log.append(&stream, after(0), &first).await.unwrap(), one);
    let two = log.append(&stream, after(2), &second).await.unwrap();
    // Also when others have appended since, and after a restart: the answer may have been lost with the process.
    assert_eq!(log.append(&stream, after(0), &first).await.unwrap(), one);
    drop(log);
    harness.reopen().await;
    let log = harness.log();
    assert_eq!(log.append(&stream, after(0), &first).await.unwrap(), one);
    assert_eq!(log.append(&stream, after(2), &second).await.unwrap(), two);
    // The same append twice at the same moment.
    let third = sample.events(2);
    let twins =
        join_all([log.append(&stream, after(5), &third), log.append(&stream, after(5), &third)])
            .await;
    let answers: Vec<_> = twins.into_iter().map(Result::unwrap).collect();
    assert_eq!(answers.first(), answers.last());
    assert_eq!(new_events(&read(&*log, &stream, 0).await), [first, second, third].concat());
}

/// Checks what its name says.
///
/// # Panics
/// If it is not so.
#[expect(clippy::unwrap_used, reason = "a failed test says so by panicking")]
pub async fn other_ids_at_the_same_place_conflict(harness: &mut impl Harness) {
    let (log, sample) = (harness.log(), Sample::new());
    let stream = sample.stream("k");
    let events = sample.events(3);
    log.append(&stream, after(0), &events).await.unwrap();
    let (one, two) = (events.get(..1).unwrap(), events.get(..2).unwrap());
    let altered = [one, &sample.events(2)].concat();
    let longer = [&events[..], &sample.events(1)].concat();
    let swapped: Vec<_> = events.iter().rev().cloned().collect();
    for other in [altered, longer, swapped] {
        assert_conflict(log.append(&stream, after(0), &other).await, Some(2));
    }
    // Elsewhere than where they were appended.
    assert_conflict(log.append(&stream, after(1), two).await, Some(2));
    assert_eq!(new_events(&read(&*log, &stream, 0).await), events);
}

/// Checks what its name says.
///
/// # Panics
/// If it is not so.
#[expect(clippy::unwrap_used, reason = "a failed test says so by panicking")]
pub async fn several_events_are_stored_together_or_not_at_all(harness: &mut impl Harness) {
    let (log, sample) = (harness.log(), Sample::new());
    let start = log.head().await.unwrap();
    let stream = sample.stream("k");
    let batches: Vec<_> = (0..16).map(|_| sample.events(20)).collect();
    let racing = batches.iter().map(|events| log.append(&stream, after(0), events));
    let results = join_all(racing).await;
    let winner = (0..16).find(|i| results.get(*i).unwrap().is_ok()).unwrap();
    let appended = *results.get(winner).unwrap().as_ref().unwrap();
    assert_eq!(appended.last_revision, Revision(19));
    let stored = read(&*log, &stream, 0).await;
    assert_eq!(&new_events(&stored), batches.get(winner).unwrap());
    assert_eq!(stored.last().unwrap().position, appended.position);
    let mut items = log.follow(&sample.filter(), start).await.unwrap();
    assert_eq!(take_until_caught_up(&mut items).await, stored);
}

/// Checks what its name says.
///
/// # Panics
/// If it is not so.
#[expect(clippy::unwrap_used, reason = "a failed test says so by panicking")]
pub async fn odd_names_and_sizes_come_back_as_they_were(harness: &mut impl Harness) {
    let (log, sample) = (harness.log(), Sample::new());
    let longest = StreamId::new(
        &"c".repeat(32),
        &TenantId::parse(&format!("{}{}", sample.tenant(), "x-9".repeat(2))).unwrap(),
        &"K".repeat(80),
    )
    .unwrap();
    let streams = [
        sample.stream("."),
        sample.stream("-._-"),
        sample.stream("Aa"),
        sample.stream("aA"),
        longest,
    ];
    let payloads = [
        Bytes::new(),
        Bytes::from_static(&[0]),
        Bytes::from_static(b"\0\xff\xfe \n"),
        (0..1024 * 1024).map(|i: u32| i.to_le_bytes().iter().fold(7, |a, b| a ^ b)).collect(),
    ];
    for stream in &streams {
        let mut events: Vec<_> = payloads
            .iter()
            .map(|payload| NewEvent { payload: payload.clone(), ..sample.event() })
            .collect();
        let bare = events.first_mut().unwrap();
        bare.event_type = "t".into();
        bare.schema_version = u32::MAX;
        bare.metadata.requester = "".into();
        bare.metadata.traceparent = "".into();
        bare.metadata.recorded_at = Timestamp::from_unix_micros(-1);
        for (event, count) in events.iter().zip(0..) {
            log.append(stream, after(count), std::slice::from_ref(event)).await.unwrap();
        }
        assert_eq!(new_events(&read(&*log, stream, 0).await), events, "{stream}");
    }
}

/// Checks what its name says.
///
/// # Panics
/// If it is not so.
#[expect(clippy::unwrap_used, clippy::panic, reason = "a failed test says so by panicking")]
pub async fn too_large_an_append_is_refused_and_stores_nothing(harness: &mut impl Harness) {
    let (log, sample) = (harness.log(), Sample::new());
    let stream = sample.stream("k");
    let large =
        NewEvent { payload: Bytes::from(vec![1; harness.too_many_bytes()]), ..sample.event() };
    let many: Vec<_> = (0..8)
        .map(|_| NewEvent {
            payload: Bytes::from(vec![1; harness.too_many_bytes() / 8 + 1]),
            ..sample.event()
        })
        .collect();
    for events in [vec![sample.event(), large], many] {
        match log.append(&stream, after(0), &events).await {
            Err(AppendError::TooLarge { limit, actual }) => assert!(actual > limit),
            other => panic!("expected it to be too large, got {other:?}"),
        }
    }
    assert!(read(&*log, &stream, 0).await.is_empty());
    log.append(&stream, after(0), &sample.events(1)).await.unwrap();
}

/// Checks what its name says.
///
/// # Panics
/// If it is not so.
#[expect(clippy::unwrap_used, reason = "a failed test says so by panicking")]
pub async fn a_follower_is_told_what_its_filter_wants(harness: &mut impl Harness) {
    let (log, sample, other) = (harness.log(), Sample::new(), Sample::new());
    let start = log.head().await.unwrap();
    let streams = [
        sample.stream_in("odd", "a"),
        sample.stream_in("odd", "b"),
        sample.stream_in("odder", "a"),
        other.stream_in("odd", "a"),
    ];
    let types = ["made", "changed"];
    let append_round = async |round: u64| {
        for stream in &streams {
            let events = types.map(|t| NewEvent { event_type: t.into(), ..sample.event() });
            log.append(stream, after(round * 2), &events).await.unwrap();
        }
    };
    for round in 0..5 {
        append_round(round).await;
    }
    let [a, b, ..] = &streams;
    let category = |name: &str| Filter { categories: vec![name.to_owned()], ..sample.filter() };
    let filters = [
        sample.filter(),
        other.filter(),
        category("odd"),
        category("odder"),
        category("none"),
        Filter { streams: vec![a.clone()], ..Filter::default() },
        Filter { streams: vec![b.clone(), a.clone()], ..Filter::default() },
        Filter { streams: streams.to_vec(), ..category("odd") },
        Filter { event_types: vec!["changed".to_owned()], ..sample.filter() },
        Filter {
            event_types: vec!["made".to_owned()],
            streams: vec![a.clone()],
            ..Filter::default()
        },
        Filter { event_types: vec!["unknown".to_owned()], ..sample.filter() },
    ];
    let mut followers = Vec::new();
    for filter in &filters {
        let mut items = log.follow(filter, start).await.unwrap();
        let told = take_until_caught_up(&mut items).await;
        followers.push((items, told));
    }
    append_round(5).await;
    let everything =
        Filter { categories: vec!["odd".to_owned(), "odder".to_owned()], ..Filter::default() };
    let mut items = log.follow(&everything, start).await.unwrap();
    let all: Vec<_> = take_until_caught_up(&mut items)
        .await
        .into_iter()
        .filter(|event| streams.contains(&event.stream))
        .collect();
    assert_eq!(all.len(), 48);
    for (filter, (mut items, mut told)) in filters.iter().zip(followers) {
        let wanted: Vec<_> = all
            .iter()
            .filter(|event| filter.matches(&event.stream, &event.event.event_type))
            .cloned()
            .collect();
        let live = take_events(&mut items, wanted.len() - told.len()).await;
        told.extend(live);
        assert_eq!(told, wanted, "{filter:?}");
    }
}

/// Checks what its name says.
///
/// # Panics
/// If it is not so.
#[expect(clippy::unwrap_used, reason = "a failed test says so by panicking")]
pub async fn nothing_acknowledged_is_lost_by_reopening(harness: &mut impl Harness) {
    let sample = Sample::new();
    let id = harness.log().id();
    let stream = sample.stream("k");
    let mut last: Option<Position> = None;
    for round in 0..3 {
        let log = harness.log();
        for count in 0..10 {
            let appended =
                log.append(&stream, after(round * 10 + count), &sample.events(1)).await.unwrap();
            assert!(Some(appended.position) > last);
            last = Some(appended.position);
        }
        let before = read(&*log, &stream, 0).await;
        drop(log);
        harness.reopen().await;
        let log = harness.log();
        assert_eq!(log.id(), id);
        assert_eq!(read(&*log, &stream, 0).await, before);
        assert_eq!(before.len() as u64, (round + 1) * 10);
        assert!(log.head().await.unwrap() >= last);
    }
}
