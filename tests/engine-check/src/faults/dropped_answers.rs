//! Callers that stop waiting, and ask again.

use std::time::Duration;

use countersign_eventsourcing::contract::{Harness as _, after};
use tokio::time::timeout;

use super::Faults;
use crate::{
    Engine,
    load::{Acknowledged, Maker, append, assert_there},
};

const ROUNDS: u64 = 100;

/// An answer is given up after at most so many microseconds: most come later, and some before.
const LONGEST_WAIT: u64 = 3_000;

pub(super) async fn an_append_whose_answer_was_dropped_can_be_repeated(
    engine: &mut Engine,
    faults: &Faults,
) {
    let (log, tenant) = (engine.log(), faults.chance.tenant());
    let start = log.head().await.unwrap();
    let mut maker = Maker::new(tenant.clone(), 0);
    let stream = maker.stream(0);
    let (mut count, mut acknowledged) = (0, Vec::new());
    for round in 0..ROUNDS {
        let events = maker.events(1 + round % 3);
        let wait = Duration::from_micros(faults.chance.below(LONGEST_WAIT));
        let answered = timeout(wait, log.append(&stream, after(count), &events)).await;
        let place = count;
        // Nobody else writes here, so it stands where it was to stand.
        let last = append(&*log, &stream, &mut count, &events).await;
        assert_eq!(last.0 + 1, place + events.len() as u64);
        let again = log.append(&stream, after(place), &events).await.unwrap();
        assert_eq!(again.last_revision, last);
        if let Ok(Ok(answered)) = answered {
            assert_eq!(answered, again);
        }
        let ids = events.iter().map(|event| event.id).collect();
        acknowledged.push(Acknowledged { stream: stream.clone(), last, ids });
    }
    assert_there(&*log, &tenant, start, &acknowledged).await;
}
