//! Copies between logs in memory, with and without trouble.

mod troubled;

use std::sync::atomic::Ordering;

use bytes::Bytes;
use countersign_eventlog::memory::MemoryLog;
use countersign_eventsourcing::{
    NewEvent, RecordedEvent,
    contract::{Sample, after, take_until_caught_up},
};
use troubled::{Troubled, Troubles};
use uuid::Uuid;

use super::*;

const OPTIONS: Options = Options { dry_run: false, patience: Duration::from_secs(60) };

/// Fills a log with appends of one to three events in eight streams, so that they lie between each other.
async fn fill(log: &dyn EventLog, sample: &Sample, appends: u64) {
    let mut counts = [0_u64; 8];
    for number in 0..appends {
        let which = usize::try_from(number * 5 % 7).unwrap();
        let mut events = sample.events(1 + which % 3);
        for event in &mut events {
            event.metadata.causation_id = Uuid::from_u128(u128::from(number));
        }
        let stream = sample.stream(&format!("k{which}"));
        log.append(&stream, after(counts[which]), &events).await.unwrap();
        counts[which] += events.len() as u64;
    }
}

async fn everything(log: &dyn EventLog) -> Vec<RecordedEvent> {
    let mut items = log.follow(&Default::default(), None).await.unwrap();
    take_until_caught_up(&mut items).await
}

async fn copied(from: &dyn EventLog, to: &dyn EventLog) -> Result<Report, CopyError> {
    copy(from, to, OPTIONS, &mut |_| {}).await
}

async fn filled(appends: u64) -> (MemoryLog, Sample) {
    let (log, sample) = (MemoryLog::default(), Sample::new());
    fill(&log, &sample, appends).await;
    (log, sample)
}

#[tokio::test]
async fn a_copy_holds_the_same_in_the_same_order() {
    let (from, _) = filled(500).await;
    let to = Troubled::default();
    let report = copied(&from, &to).await.unwrap();
    assert_eq!(everything(&from).await, everything(&to).await);
    let (source, destination) = report.digests.unwrap();
    assert_eq!(source, destination);
    assert_eq!((report.already, report.copied, source.events), (0, source.events, report.copied));
    // What was appended together is again.
    assert_eq!(to.appends.load(Ordering::Relaxed), 500);
    let again = copied(&from, &to).await.unwrap();
    assert_eq!((again.already, again.copied), (report.copied, 0));
    assert_eq!(to.appends.load(Ordering::Relaxed), 500);
}

#[tokio::test]
async fn an_empty_log_is_copied_too() {
    let report = copied(&MemoryLog::default(), &MemoryLog::default()).await.unwrap();
    assert!(report.same() && report.copied == 0 && !report.grown);
}

#[tokio::test]
async fn what_came_later_is_copied_by_copying_again() {
    let (from, sample) = filled(50).await;
    let to = MemoryLog::default();
    let first = copied(&from, &to).await.unwrap();
    let others = Sample::new();
    fill(&from, &others, 20).await;
    let second = copied(&from, &to).await.unwrap();
    assert_eq!(second.already, first.copied);
    assert_eq!(everything(&from).await, everything(&to).await);
    assert_ne!(sample.tenant(), others.tenant());
}

#[tokio::test(start_paused = true)]
async fn logs_that_go_away_again_and_again_are_copied_all_the_same() {
    for (refused_every, unanswered_every) in [(3, 0), (0, 3), (2, 3), (3, 4)] {
        let from = Troubled::new(Troubles { cut_after: 7, ..Troubles::default() });
        fill(&from.log, &Sample::new(), 300).await;
        let to = Troubled::new(Troubles {
            refused_every,
            unanswered_every,
            cut_after: 11,
            ..Troubles::default()
        });
        let report = copied(&from, &to).await.unwrap();
        assert!(report.same());
        assert_eq!(everything(&from.log).await, everything(&to.log).await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_log_that_stays_away_is_given_up_and_named() {
    let (from, _) = filled(10).await;
    let away = Troubled::new(Troubles { away: true, ..Troubles::default() });
    let error = copied(&from, &away).await.unwrap_err();
    assert!(error.to_string().starts_with("the destination is away"), "{error}");
    let error = copied(&away, &from).await.unwrap_err();
    assert!(error.to_string().starts_with("the source is away"), "{error}");
    let refusing = Troubled::new(Troubles { refused_every: 1, ..Troubles::default() });
    let error = copied(&from, &refusing).await.unwrap_err();
    assert!(error.to_string().contains("doing the same again goes on from here"), "{error}");
}

/// Changes one thing of one event in an otherwise equal log, and returns what copying into that says.
async fn refusal_of(change: impl Fn(&mut NewEvent)) -> String {
    let (from, sample) = (MemoryLog::default(), Sample::new());
    let to = MemoryLog::default();
    let stream = sample.stream("k");
    for count in 0..10 {
        let event = sample.event();
        from.append(&stream, after(count), std::slice::from_ref(&event)).await.unwrap();
        let mut other = event;
        if count == 6 {
            change(&mut other);
        }
        if count < 8 {
            to.append(&stream, after(count), &[other]).await.unwrap();
        }
    }
    let before = everything(&to).await;
    let error = copied(&from, &to).await.unwrap_err();
    assert_eq!(everything(&to).await, before, "a log that differs was written to");
    error.to_string()
}

#[tokio::test]
async fn a_destination_that_differs_in_anything_is_refused_with_the_place() {
    for (field, said) in [
        ("id", refusal_of(|event| event.id = Uuid::nil()).await),
        ("type", refusal_of(|event| event.event_type = "else".into()).await),
        ("schema version", refusal_of(|event| event.schema_version += 1).await),
        ("metadata", refusal_of(|event| event.metadata.requester = "x".into()).await),
        ("metadata", refusal_of(|event| event.metadata.request_digest = 0).await),
        ("payload", refusal_of(|event| event.payload = Bytes::from_static(b"else")).await),
    ] {
        let wanted = format!("position 6 differs from the source's at position 6 in its {field}");
        assert!(said.ends_with(&wanted), "{said}");
    }
}

#[tokio::test]
async fn a_destination_that_goes_on_longer_or_elsewhere_is_refused() {
    let (from, sample) = filled(20).await;
    let to = MemoryLog::default();
    copied(&from, &to).await.unwrap();
    to.append(&sample.stream("other"), after(0), &sample.events(1)).await.unwrap();
    let error = copied(&from, &to).await.unwrap_err();
    let last = from.head().await.unwrap().unwrap();
    assert!(
        matches!(&error, CopyError::Extra { source_position: Some(at), .. } if *at == last),
        "{error}"
    );
    let error = copied(&MemoryLog::default(), &from).await.unwrap_err();
    assert!(matches!(error, CopyError::Extra { source_position: None, .. }), "{error}");
    let error = copied(&filled(3).await.0, &from).await.unwrap_err();
    assert!(error.to_string().ends_with("in its stream"), "{error}");
}

#[tokio::test]
async fn what_cannot_be_read_is_listed_and_left_out() {
    // The last event of each stream: nothing follows that would lack it.
    let from = Troubled::new(Troubles { poisoned: &[3, 4], ..Troubles::default() });
    let sample = Sample::new();
    for key in ["a", "b", "c", "d", "e", "f"] {
        from.append(&sample.stream(key), after(0), &sample.events(1)).await.unwrap();
    }
    let to = MemoryLog::default();
    for already in [0, 4] {
        let report = copied(&from, &to).await.unwrap();
        assert_eq!((report.already, report.copied), (already, 4 - already));
        assert!(report.same());
        assert_eq!(report.unreadable.count, 2);
        assert_eq!(report.unreadable.first[0].place, "place 3");
    }
}

#[tokio::test]
async fn an_event_that_lacks_the_one_before_is_refused_by_name() {
    let from = Troubled::new(Troubles { poisoned: &[1], ..Troubles::default() });
    let sample = Sample::new();
    let stream = sample.stream("k");
    for count in 0..3 {
        let mut events = sample.events(1);
        events[0].metadata.causation_id = Uuid::from_u128(u128::from(count));
        from.append(&stream, after(count), &events).await.unwrap();
    }
    let error = copied(&from, &MemoryLog::default()).await.unwrap_err().to_string();
    assert!(error.contains("at position 2") && error.contains("up to revision 0"), "{error}");
}

#[tokio::test]
async fn a_destination_with_something_unreadable_is_refused() {
    let (from, _) = filled(10).await;
    let to = Troubled::new(Troubles { poisoned: &[4], ..Troubles::default() });
    for event in everything(&from).await.iter().take(6) {
        let expected = after(event.revision.0);
        to.log.append(&event.stream, expected, std::slice::from_ref(&event.event)).await.unwrap();
    }
    let error = copied(&from, &to).await.unwrap_err();
    assert!(error.to_string().contains("place 4: it is no event"), "{error}");
}

#[tokio::test]
async fn what_is_too_large_at_once_is_appended_in_parts() {
    let (from, sample) = (MemoryLog::default(), Sample::new());
    let events: Vec<_> =
        (0..7).map(|_| NewEvent { payload: Bytes::from(vec![7; 100]), ..sample.event() }).collect();
    from.append(&sample.stream("k"), after(0), &events).await.unwrap();
    let to = Troubled::new(Troubles { largest: Some(250), ..Troubles::default() });
    assert!(copied(&from, &to).await.unwrap().same());
    assert_eq!(everything(&from).await, everything(&to).await);
    let small = Troubled::new(Troubles { largest: Some(50), ..Troubles::default() });
    let error = copied(&from, &small).await.unwrap_err();
    assert!(matches!(error, CopyError::TooLarge { limit: 50, actual: 100, .. }), "{error}");
}

#[tokio::test]
async fn a_dry_run_counts_and_writes_nothing() {
    let (from, _) = filled(30).await;
    let to = MemoryLog::default();
    let options = Options { dry_run: true, ..OPTIONS };
    let report = copy(&from, &to, options, &mut |_| {}).await.unwrap();
    assert_eq!(report.copied, everything(&from).await.len() as u64);
    assert_eq!((report.digests, to.head().await.unwrap()), (None, None));
}

#[tokio::test]
async fn a_digest_tells_any_two_logs_apart() {
    let digest = async |log: &dyn EventLog| {
        let (summed, _) = sum(log, Duration::ZERO, &mut |_| {}).await.unwrap();
        summed.digest.to_string()
    };
    let (one, sample) = filled(20).await;
    let first = digest(&one).await;
    assert_eq!(first.len(), "sha256:".len() + 64);
    assert_eq!(digest(&one).await, first);
    one.append(&sample.stream("z"), after(0), &sample.events(1)).await.unwrap();
    assert_ne!(digest(&one).await, first);
    // The same two events, the other way round.
    let events = sample.events(2);
    let (ab, ba) = (MemoryLog::default(), MemoryLog::default());
    for (log, order) in [(&ab, [0, 1]), (&ba, [1, 0])] {
        for which in order {
            let stream = sample.stream(&format!("s{which}"));
            log.append(&stream, after(0), std::slice::from_ref(&events[which])).await.unwrap();
        }
    }
    assert_ne!(digest(&ab).await, digest(&ba).await);
}
