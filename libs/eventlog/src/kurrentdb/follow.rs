//! Following: a subscription to `$all`, which the server filters by stream and the leader serves.
//!
//! When the connection breaks, following ends with an error, and whoever follows begins again at the checkpoint: the
//! client's own way of subscribing again forgets checkpoints.
//!
//! The client has a flaw that is met nowhere in practice: if a server ended a subscription without an error, it would ask
//! for the next item for ever. Servers end them with an error or with the connection.

use std::time::Duration;

use countersign_eventsourcing::{
    Filter, FollowItem, FollowStream, Poison, Position, ReadError, StreamId,
};
use eventstore::{
    RecordedEvent, ResolvedEvent, StreamPosition, SubscribeToAllOptions, Subscription,
    SubscriptionEvent, SubscriptionFilter,
};
use futures_util::{StreamExt as _, stream};

use super::{
    connection::{Connection, READ_TIMEOUT, Reporter},
    error::{corrupt, unavailable},
    filter, read, stored,
};
use crate::matcher::Matcher;

/// How many events the server passes over before it says how far it is.
const CHECKPOINT_INTERVAL: u32 = 1024;

/// How long a subscription may take to be confirmed.
const CONFIRM_TIMEOUT: Duration = READ_TIMEOUT;

struct Follower {
    reporter: Reporter,
    subscription: Subscription,
    matcher: Matcher,
    /// Everything up to here has been told or is not wanted.
    told: Option<Position>,
    /// Where the log ended before the subscription began.
    began: Option<Position>,
    caught_up: bool,
    failed: bool,
}

/// Follows from after `after` on.
pub(super) async fn follow(
    connection: &Connection,
    filter: &Filter,
    after: Option<Position>,
) -> Result<FollowStream, ReadError> {
    // The leader's end, so that what it says later about having caught up can only be about more.
    let end = read::end_of_all(connection).await?;
    if after > end.map(|end| Position(end.commit)) {
        let place = format!("position {}", after.map_or(0, |after| after.0));
        let what = "a follower has seen this event, but the log ends before: \
                    was it restored from an older copy?";
        return Err(corrupt(&place, what).into());
    }
    let reporter = connection.link().await.map_err(|away| ReadError::Unavailable(away.0))?;
    let position = after.map_or(StreamPosition::Start, |Position(commit)| {
        StreamPosition::Position(eventstore::Position { commit, prepare: commit })
    });
    let wanted = SubscriptionFilter::on_stream_name()
        .regex(filter::pattern(filter))
        .max(CHECKPOINT_INTERVAL);
    let options =
        SubscribeToAllOptions::default().position(position).filter(wanted).requires_leader(true);
    let confirmed = async {
        let mut subscription = reporter.link().client.subscribe_to_all(&options).await;
        // It is the first thing that a server says.
        while !matches!(
            subscription.next_subscription_event().await?,
            SubscriptionEvent::Confirmed(_)
        ) {}
        Ok(subscription)
    };
    let subscription = reporter.bounded(CONFIRM_TIMEOUT, confirmed).await.map_err(unavailable)?;
    let follower = Follower {
        reporter,
        subscription,
        matcher: Matcher::new(filter.clone()),
        told: after,
        began: end.and_then(self_committed),
        caught_up: false,
        failed: false,
    };
    Ok(stream::unfold(follower, step).boxed())
}

/// An event that was written by itself, and not in a transaction of the old protocol, has one position. From others no
/// follower could resume by it.
fn self_committed(position: eventstore::Position) -> Option<Position> {
    let eventstore::Position { commit, prepare } = position;
    (commit == prepare && commit < u64::MAX).then_some(Position(commit))
}

async fn step(mut follower: Follower) -> Option<(Result<FollowItem, ReadError>, Follower)> {
    if follower.failed {
        return None;
    }
    let item = follower.item().await;
    follower.failed = item.is_err();
    Some((item, follower))
}

impl Follower {
    async fn item(&mut self) -> Result<FollowItem, ReadError> {
        loop {
            // Whether the connection still lives is found out by the client's pings, not by silence.
            let next = self.subscription.next_subscription_event().await;
            let next = next.map_err(|error| {
                self.reporter.failed_with(&error);
                unavailable(error)
            })?;
            let item = match next {
                SubscriptionEvent::EventAppeared(resolved) => self.event(resolved),
                SubscriptionEvent::Checkpoint(position) => self.checkpoint(position),
                // The leader has told all that was there when it said so, hence all that was there before.
                SubscriptionEvent::CaughtUp(_) => self.caught_up(),
                SubscriptionEvent::Confirmed(_)
                | SubscriptionEvent::FellBehind(_)
                | SubscriptionEvent::FirstStreamPosition(_)
                | SubscriptionEvent::LastStreamPosition(_)
                | SubscriptionEvent::LastAllPosition(_) => None,
            };
            if let Some(item) = item {
                return Ok(item);
            }
        }
    }

    fn event(&mut self, resolved: ResolvedEvent) -> Option<FollowItem> {
        let event = resolved.event?;
        let position = self_committed(event.position)?;
        // Names that are not ours are other applications'.
        let stream: StreamId = event.stream_id().parse().ok()?;
        if !self.matcher.wants_stream(stream.as_str()) {
            return None;
        }
        self.told = self.told.max(Some(position));
        match stored::incoming(&stream, &event) {
            Ok(recorded) => self
                .matcher
                .wants(stream.as_str(), &recorded.event.event_type)
                .then_some(FollowItem::Event(recorded)),
            Err(what) => Some(FollowItem::Poison(poison(position, event, what))),
        }
    }

    fn checkpoint(&mut self, position: eventstore::Position) -> Option<FollowItem> {
        let position = self_committed(position)?;
        if Some(position) <= self.told {
            return None;
        }
        self.told = Some(position);
        Some(FollowItem::Checkpoint(position))
    }

    fn caught_up(&mut self) -> Option<FollowItem> {
        if self.caught_up {
            return None;
        }
        self.caught_up = true;
        self.told = self.told.max(self.began);
        Some(FollowItem::CaughtUp(self.told))
    }
}

fn poison(position: Position, event: RecordedEvent, what: String) -> Poison {
    let place = format!("{} revision {}", event.stream_id(), event.revision);
    Poison { position, place, what, bytes: event.data }
}
