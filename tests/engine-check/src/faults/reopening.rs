//! A log that is closed under those who write to it.

use countersign_eventsourcing::contract::Harness as _;

use super::Faults;
use crate::{
    Engine,
    load::{Writers, assert_there},
};

const ROUNDS: u64 = 5;
const TASKS: u64 = 4;

pub(super) async fn reopening_while_others_write_loses_nothing(
    engine: &mut Engine,
    faults: &Faults,
) {
    let tenant = faults.chance.tenant();
    let start = engine.log().head().await.unwrap();
    let mut acknowledged = Vec::new();
    for round in 0..ROUNDS {
        let log = engine.log();
        let mut writers = Writers::start(&log, &tenant, round * TASKS, TASKS, u64::MAX);
        drop(log);
        let enough = 20 + faults.chance.below(100);
        writers.until(usize::try_from(enough).unwrap()).await;
        engine.close().await;
        acknowledged.extend(writers.stop().await);
        engine.reopen().await;
        assert_there(&*engine.log(), &tenant, start, &acknowledged).await;
    }
}
