//! What must hold of following the log.

use futures_util::future::{join, join_all};

use super::{Harness, Sample, after, read, take_events, take_until_caught_up};
use crate::*;

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
