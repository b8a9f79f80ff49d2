//! Reading what the log holds by now, from one end to the other.

use countersign_eventsourcing::{EventLog, Filter, FollowItem, Position, ReadError, RecordedEvent};
use futures_util::TryStreamExt as _;

/// Shows `seen` every event after `after`, and moves `after` to what was read. What cannot be read is passed over.
pub(super) async fn read_on(
    log: &dyn EventLog,
    filter: &Filter,
    after: &mut Option<Position>,
    mut seen: impl FnMut(&RecordedEvent) + Send,
) -> Result<(), ReadError> {
    let mut items = log.follow(filter, *after).await?;
    while let Some(item) = items.try_next().await? {
        match item {
            FollowItem::Event(event) => {
                seen(&event);
                *after = Some(event.position);
                // A log in memory never waits: others get their turn.
                tokio::task::coop::consume_budget().await;
            }
            FollowItem::Poison(poison) => *after = Some(poison.position),
            FollowItem::Checkpoint(position) => *after = Some(position),
            FollowItem::CaughtUp(position) => {
                *after = position.or(*after);
                break;
            }
        }
    }
    Ok(())
}
