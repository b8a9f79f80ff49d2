//! A follower that is dropped anywhere, and goes on behind the last place it was told.

use countersign_eventsourcing::{
    Filter, FollowItem,
    contract::{Harness as _, take_until_caught_up},
};
use futures_util::TryStreamExt as _;

use super::Faults;
use crate::{Engine, load::Writers};

const TASKS: u64 = 4;
const APPENDS: u64 = 100;

/// A follower is dropped after so many items at most.
const MOST_ITEMS: u64 = 40;

pub(super) async fn a_follower_resumed_anywhere_is_told_everything_once(
    engine: &mut Engine,
    faults: &Faults,
) {
    let (log, tenant) = (engine.log(), faults.chance.tenant());
    let start = log.head().await.unwrap();
    let filter = Filter { tenant: Some(tenant.clone()), ..Filter::default() };
    let writers = Writers::start(&log, &tenant, 0, TASKS, APPENDS);
    let total: u64 = (0..APPENDS).map(|number| 1 + number % 3).sum::<u64>() * TASKS;
    let (mut told, mut reached) = (Vec::new(), start);
    while (told.len() as u64) < total {
        let mut items = log.follow(&filter, reached).await.unwrap();
        for _ in 0..=faults.chance.below(MOST_ITEMS) {
            if told.len() as u64 == total {
                break;
            }
            match items.try_next().await.unwrap().unwrap() {
                FollowItem::Event(event) => {
                    reached = Some(event.position);
                    told.push(event);
                }
                FollowItem::CaughtUp(position) => reached = position.or(reached),
                FollowItem::Checkpoint(position) => reached = Some(position),
                FollowItem::Poison(poison) => reached = Some(poison.position),
            }
        }
    }
    writers.finish().await;
    let mut items = log.follow(&filter, start).await.unwrap();
    assert_eq!(told, take_until_caught_up(&mut items).await);
}
