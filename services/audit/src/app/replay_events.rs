//! Replaying what the log holds, in its order.

use std::time::Duration;

use countersign_core::{FieldProblem, TenantId, Timestamp};
use countersign_eventsourcing::{
    Filter, FollowItem, FollowStream, Poison, Position, RecordedEvent, Revision,
};
use countersign_service::{ApiError, Foundation, Reason, tenant_stream};
use futures_util::{Stream, TryStreamExt as _, stream};
use tokio_util::sync::CancellationToken;

/// How long a caller whose replay was cut short should wait for the server to be back.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// What is to be replayed.
#[derive(Debug, Default)]
pub(crate) struct Replay {
    /// Which events; its tenant must be there.
    pub(crate) filter: Filter,
    /// When they were recorded.
    pub(crate) recorded: RecordedWithin,
    /// Only what comes after this place.
    pub(crate) after: Option<Position>,
    /// How many at most; `None` for no limit.
    pub(crate) limit: Option<u64>,
    /// Whether to go on as new events are appended.
    pub(crate) follow: bool,
}

/// A stretch of time; an end that is absent is open.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RecordedWithin {
    /// Its beginning, which belongs to it.
    pub(crate) from: Option<Timestamp>,
    /// Its end, which does not.
    pub(crate) until: Option<Timestamp>,
}

impl RecordedWithin {
    fn contains(self, instant: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= instant)
            && self.until.is_none_or(|until| instant < until)
    }
}

/// One item of a replay.
#[derive(Debug)]
pub(crate) enum Replayed {
    /// An event.
    Event(RecordedEvent),
    /// Everything up to here has been replayed, and what follows is new; `None` if the log was empty.
    CaughtUp(Option<Position>),
}

/// Replays events. Nothing is read ahead beyond the engine's own page: whoever reads slowly holds nobody up.
///
/// # Errors
/// Says that there is no such tenant, that `after` lies beyond the log's end, or that the log cannot be read. Items say
/// the last as well, and that the server stopped before everything was replayed.
pub(crate) async fn replay_events(
    foundation: &Foundation,
    replay: Replay,
    stopping: CancellationToken,
) -> Result<impl Stream<Item = Result<Replayed, ApiError>> + Send + use<>, ApiError> {
    let log = &foundation.log;
    if let Some(tenant) = &replay.filter.tenant {
        must_have_begun(foundation, tenant).await?;
    }
    if let Some(after) = replay.after
        && log.head().await?.is_none_or(|head| head < after)
    {
        let problem =
            FieldProblem::Other("the log ends before it; was it restored from an older copy?");
        return Err(ApiError::field("after_position", problem));
    }
    let replaying = Replaying {
        items: log.follow(&replay.filter, replay.after).await?,
        recorded: replay.recorded,
        left: replay.limit,
        follow: replay.follow,
        stopping,
    };
    Ok(stream::try_unfold(replaying, async |mut replaying: Replaying| {
        Ok(replaying.next().await?.map(|item| (item, replaying)))
    }))
}

/// Fails for a tenant that was never created: a misspelt one would look like one in which nothing ever happened. Asks
/// only whether its stream has begun, so that damage there hides none of its users' events.
async fn must_have_begun(foundation: &Foundation, tenant: &TenantId) -> Result<(), ApiError> {
    let mut settings = foundation.log.read(&tenant_stream(tenant), Revision::START).await?;
    match settings.try_next().await? {
        Some(_) => Ok(()),
        None => Err(ApiError::new(Reason::TenantNotFound)),
    }
}

/// One caller's replay.
struct Replaying {
    items: FollowStream,
    recorded: RecordedWithin,
    left: Option<u64>,
    follow: bool,
    stopping: CancellationToken,
}

impl Replaying {
    /// Waits for the next item; `None` at the end.
    async fn next(&mut self) -> Result<Option<Replayed>, ApiError> {
        while self.left != Some(0) {
            let item = tokio::select! {
                biased;
                () = self.stopping.cancelled() => None,
                item = self.items.try_next() => item?,
            };
            match item {
                // An event that was recorded at or after the end of the stretch does not end the replay: clocks jump
                // and differ between writers, so one that belongs to the stretch may still come.
                Some(FollowItem::Event(event))
                    if self.recorded.contains(event.event.metadata.recorded_at) =>
                {
                    self.left = self.left.map(|left| left - 1);
                    return Ok(Some(Replayed::Event(event)));
                }
                Some(FollowItem::Poison(Poison { position, place, what, .. })) => {
                    tracing::error!(position = position.0, place, error = what, "not an event");
                }
                // Much may be passed over, and a log in memory never waits: others get their turn.
                Some(FollowItem::Event(_) | FollowItem::Checkpoint(_)) => {
                    tokio::task::coop::consume_budget().await;
                }
                Some(FollowItem::CaughtUp(position)) if self.follow => {
                    return Ok(Some(Replayed::CaughtUp(position)));
                }
                Some(FollowItem::CaughtUp(_)) => return Ok(None),
                // The server stops. Who follows has no end to miss; who does not must not take this for the end.
                None if self.follow => return Ok(None),
                None => return Err(cut_short()),
            }
        }
        Ok(None)
    }
}

fn cut_short() -> ApiError {
    let message = "the server is stopping; go on after the position of the last event received";
    ApiError::with_message(Reason::LogUnavailable, message).retry_after(RETRY_AFTER)
}
