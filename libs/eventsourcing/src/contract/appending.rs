//! What must hold of appends and of reading streams.

use bytes::Bytes;
use countersign_core::{TenantId, Timestamp};
use futures_util::future::join_all;

use super::{
    Harness, Sample, after, read,
    sample::{assert_conflict, new_events},
    take_until_caught_up,
};
use crate::*;

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
/// Checks what its name says.
///
/// # Panics
/// If it is not so.
#[expect(clippy::unwrap_used, reason = "a failed test says so by panicking")]
pub async fn a_length_that_is_known_is_what_a_read_finds(harness: &mut impl Harness) {
    let sample = Sample::new();
    let stream = sample.stream("k");
    for count in 0..4 {
        let log = harness.log();
        // Not knowing is always right; knowing wrongly never is.
        let known = log.known_length(&stream);
        assert_eq!(read(&*log, &stream, 0).await.len() as u64, count);
        assert!(known.is_none_or(|known| known == count), "{known:?} instead of {count}");
        log.append(&stream, after(count), &sample.events(1)).await.unwrap();
        let known = log.known_length(&stream);
        assert!(known.is_none_or(|known| known == count + 1), "{known:?} after {count}");
        if count == 2 {
            drop(log);
            harness.reopen().await;
        }
    }
}
