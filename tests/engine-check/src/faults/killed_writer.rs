//! A process that writes and is killed.

use countersign_eventsourcing::contract::Harness as _;

use super::Faults;
use crate::{Engine, child::Writing, load::assert_there};

const ROUNDS: u64 = 4;

pub(super) async fn nothing_acknowledged_to_a_killed_writer_is_lost(
    engine: &mut Engine,
    faults: &Faults,
) {
    let tenant = faults.chance.tenant();
    let start = engine.log().head().await.unwrap();
    let program = faults.child.as_ref().unwrap();
    let mut acknowledged = Vec::new();
    for round in 0..ROUNDS {
        if !engine.is_shared() {
            engine.close().await;
        }
        let Some(address) = engine.address() else {
            panic!("other processes cannot open this log")
        };
        let mut writer = Writing::start(program, address, &tenant, round, u64::MAX).unwrap();
        let enough = 20 + faults.chance.below(200);
        writer.until(usize::try_from(enough).unwrap()).await.unwrap();
        acknowledged.extend(writer.kill().await.unwrap());
        engine.reopen().await;
        assert_there(&*engine.log(), &tenant, start, &acknowledged).await;
    }
}
