//! How fast the embedded log is on this machine: `cargo bench -p countersign-eventlog`.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a measurement prints what it finds, and stops at the first failure"
)]

use std::{
    fs,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use countersign_eventlog::embedded::{EmbeddedLog, EmbeddedOptions, verify};
use countersign_eventsourcing::{
    EventLog, Filter, FollowItem, NewEvent, Revision, StreamId,
    contract::{Sample, after, read, take_until_caught_up},
};
use futures_util::StreamExt as _;

const SECONDS: u64 = 4;
const EVENTS: u64 = 1_000_000;

#[tokio::main]
async fn main() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let sample = Arc::new(Sample::new());
    let log = Arc::new(EmbeddedLog::open(path, EmbeddedOptions::default()).unwrap());
    for callers in [1_usize, 16, 64, 256] {
        let rate = appends(&log, &sample, callers).await;
        println!("{callers:>4} callers, one durable event each: {rate:>9.0} appends/s");
    }
    fill(&log, &sample).await;
    println!("{:>45} {:>9} KiB", "memory after filling to a million", memory());
    reads(&log, &sample).await;
    log.close().await;
    drop(log);

    let started = Instant::now();
    let log = EmbeddedLog::open(path, EmbeddedOptions::default()).unwrap();
    let stream = sample.stream("fill0");
    assert!(!read(&log, &stream, 0).await.is_empty());
    println!("{:>45} {:>9.0?}", "opening a million events, to the first answer", started.elapsed());
    println!("{:>45} {:>9} KiB", "memory after opening", memory());
    scans(&log, &sample).await;
    log.close().await;

    let started = Instant::now();
    let report = verify(path, |_, _| {}).unwrap();
    assert!(report.problems.is_empty());
    println!("{:>45} {:>9.0} events/s", "verify", rate(report.events, started));
}

fn rate(count: u64, started: Instant) -> f64 {
    count as f64 / started.elapsed().as_secs_f64()
}

fn event(sample: &Sample) -> NewEvent {
    NewEvent { payload: Bytes::from_static(&[7; 100]), ..sample.event() }
}

async fn appends(log: &Arc<EmbeddedLog>, sample: &Arc<Sample>, callers: usize) -> f64 {
    let started = Instant::now();
    let tasks: Vec<_> = (0..callers)
        .map(|caller| {
            let (log, sample) = (Arc::clone(log), Arc::clone(sample));
            tokio::spawn(async move {
                let stream = sample.stream(&format!("c{callers}.{caller}"));
                let mut count = 0;
                while started.elapsed() < Duration::from_secs(SECONDS) {
                    log.append(&stream, after(count), &[event(&sample)]).await.unwrap();
                    count += 1;
                }
                count
            })
        })
        .collect();
    let mut total = 0;
    for task in tasks {
        total += task.await.unwrap();
    }
    rate(total, started)
}

async fn fill(log: &Arc<EmbeddedLog>, sample: &Arc<Sample>) {
    let stored = log.head().await.unwrap().map_or(0, |head| head.0 + 1);
    let appends = (0..EVENTS.saturating_sub(stored) / 10).map(|number| {
        let stream = sample.stream(&format!("fill{number}"));
        async move {
            let events: Vec<_> = (0..10).map(|_| event(sample)).collect();
            log.append(&stream, after(0), &events).await.unwrap();
        }
    });
    futures_util::stream::iter(appends).buffer_unordered(256).collect::<Vec<()>>().await;
}

async fn reads(log: &EmbeddedLog, sample: &Sample) {
    let streams: Vec<StreamId> =
        (0..10_000).map(|number| sample.stream(&format!("fill{number}"))).collect();
    for (from, what) in [
        (10, "read where nothing is newer, head not cached"),
        (10, "read where nothing is newer, head cached"),
        (0, "read a stream of ten events"),
    ] {
        let started = Instant::now();
        for stream in &streams {
            let mut events = log.read(stream, Revision(from)).await.unwrap();
            while let Some(event) = events.next().await {
                event.unwrap();
            }
        }
        println!("{what:>45} {:>9.2?}", started.elapsed() / 10_000);
    }
}

async fn scans(log: &EmbeddedLog, sample: &Sample) {
    let nothing = Filter { event_types: vec!["none".to_owned()], ..Filter::default() };
    let few = Filter { streams: vec![sample.stream("fill5")], ..Filter::default() };
    for (filter, what) in [
        (Filter::default(), "follow everything"),
        (Filter::default(), "follow everything again"),
        (nothing, "follow a type that does not occur"),
        (few, "follow one stream"),
    ] {
        let started = Instant::now();
        let mut items = log.follow(&filter, None).await.unwrap();
        let mut told = 0_u64;
        while !matches!(items.next().await.unwrap().unwrap(), FollowItem::CaughtUp(_)) {
            told += 1;
        }
        let head = log.head().await.unwrap().unwrap().0;
        println!("{what:>45} {:>9.0} events/s looked at, {told} told", rate(head, started));
    }
    let mut items = log.follow(&Filter::default(), None).await.unwrap();
    drop(take_until_caught_up(&mut items).await);
}

/// Resident memory in KiB.
fn memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
