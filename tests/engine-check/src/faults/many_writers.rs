//! Writers that race each other, in several processes if the engine lets them.

use countersign_eventsourcing::contract::Harness as _;

use super::Faults;
use crate::{
    Engine,
    child::Writing,
    load::{Writers, assert_there},
};

const PROCESSES: u64 = 4;
const TASKS: u64 = 8;
const APPENDS: u64 = 100;

pub(super) async fn many_writers_in_the_same_streams_lose_nothing(
    engine: &mut Engine,
    faults: &Faults,
) {
    let (log, tenant) = (engine.log(), faults.chance.tenant());
    let start = log.head().await.unwrap();
    let mut children = Vec::new();
    if let (Some(program), Some(address)) = (&faults.child, engine.address())
        && engine.is_shared()
    {
        for writer in 0..PROCESSES {
            let child = Writing::start(program, address, &tenant, TASKS + writer, APPENDS);
            children.push(child.unwrap());
        }
    }
    let mut acknowledged = Writers::start(&log, &tenant, 0, TASKS, APPENDS).finish().await;
    for child in children {
        acknowledged.extend(child.finish().await.unwrap());
    }
    assert_there(&*log, &tenant, start, &acknowledged).await;
}
