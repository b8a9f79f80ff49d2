//! Logs with something in them.

use std::path::Path;

use countersign::engines::{LogAddress, create_log, open_log};
use countersign_eventsourcing::{
    EventLog, RecordedEvent,
    contract::{Sample, after, take_until_caught_up},
};
use uuid::Uuid;

/// Names the embedded log in `directory`.
pub(crate) fn embedded(directory: &Path) -> String {
    format!("embedded:{}", directory.display())
}

/// Appends `count` commands of one to three events to seven streams, so that they lie between each other.
pub(crate) async fn fill(address: &str, sample: &Sample, count: u64) {
    let open = create_log(&address.parse::<LogAddress>().unwrap()).await.unwrap();
    let log = open.log();
    let mut counts = [0; 7];
    for number in 0..count {
        let which = usize::try_from(number * 3 % 7).unwrap();
        let mut events = sample.events(1 + which % 3);
        for event in &mut events {
            event.metadata.causation_id = Uuid::from_u128(u128::from(number));
        }
        let stream = sample.stream(&format!("k{which}"));
        log.append(&stream, after(counts[which]), &events).await.unwrap();
        counts[which] += events.len() as u64;
    }
    drop(log);
    open.close().await;
}

/// Appends `count` events of as many commands, many at once: quick to write, and slow to copy.
pub(crate) async fn fill_quickly(address: &str, sample: &Sample, count: u64) {
    let open = create_log(&address.parse::<LogAddress>().unwrap()).await.unwrap();
    let log = open.log();
    let mut numbers = 0..count;
    for append in 0.. {
        let mut events = sample.events(numbers.by_ref().take(100).count());
        if events.is_empty() {
            break;
        }
        for (event, place) in events.iter_mut().zip(0..) {
            event.metadata.causation_id = Uuid::from_u128(append * 1_000 + place);
        }
        let stream = sample.stream(&format!("q{append}"));
        log.append(&stream, after(0), &events).await.unwrap();
    }
    drop(log);
    open.close().await;
}

/// Appends one more event.
pub(crate) async fn add(address: &str, sample: &Sample, key: &str) {
    let open = open_log(&address.parse::<LogAddress>().unwrap()).await.unwrap();
    open.log().append(&sample.stream(key), after(0), &sample.events(1)).await.unwrap();
    open.close().await;
}

/// Reads a whole log.
pub(crate) async fn everything(address: &str) -> Vec<RecordedEvent> {
    let open = open_log(&address.parse::<LogAddress>().unwrap()).await.unwrap();
    let told = everything_of(&*open.log()).await;
    open.close().await;
    told
}

pub(crate) async fn everything_of(log: &dyn EventLog) -> Vec<RecordedEvent> {
    let mut items = log.follow(&Default::default(), None).await.unwrap();
    take_until_caught_up(&mut items).await
}
