//! What was acknowledged is there after `kill -9`, and once.

use std::sync::atomic::{AtomicU64, Ordering};

use countersign_eventsourcing::{
    EventLog as _, Filter, NewEvent, RecordedEvent,
    contract::{Sample, after, read, take_until_caught_up},
};
use countersign_testkit::NatsServer;

use super::{append_until_stored, create, open};

const ROUNDS: u64 = 4;
const APPENDS: u64 = 40;

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_in_the_middle_of_appends_loses_and_repeats_nothing() {
    let mut server = NatsServer::start().await;
    let (log, sample) = (create(&server.settings()).await, Sample::new());
    let acknowledged = AtomicU64::new(0);
    let streams = ["a", "b", "c"].map(|key| sample.stream(key));
    let write = async |number: usize| {
        let mut appended: Vec<(NewEvent, u64)> = Vec::new();
        for count in 0..ROUNDS * APPENDS {
            let events = sample.events(1);
            let stream = streams.get(number).unwrap();
            let (place, _) = append_until_stored(&log, stream, after(count), &events).await;
            appended.extend(events.into_iter().map(|event| (event, place.position.0)));
            acknowledged.fetch_add(1, Ordering::Relaxed);
        }
        appended
    };
    let killer = async {
        for round in 0..ROUNDS - 1 {
            while acknowledged.load(Ordering::Relaxed) < 3 * APPENDS * round + APPENDS {
                tokio::task::yield_now().await;
            }
            server.restart().await;
        }
    };
    let (a, b, c, ()) = tokio::join!(write(0), write(1), write(2), killer);
    server.restart().await;
    let again = open(&server.settings()).await;
    assert_eq!(again.id(), log.id());
    let pairs = |events: Vec<RecordedEvent>| -> Vec<_> {
        events.into_iter().map(|recorded| (recorded.event, recorded.position.0)).collect()
    };
    for (stream, appended) in streams.iter().zip([&a, &b, &c]) {
        assert_eq!(&pairs(read(&again, stream, 0).await), appended);
    }
    let mut items = again.follow(&Filter::default(), None).await.unwrap();
    let mut all = [a, b, c].concat();
    all.sort_by_key(|(_, position)| *position);
    assert_eq!(pairs(take_until_caught_up(&mut items).await), all);
}
