//! Following the log: read models are projections, effects are performed by reactors.

use std::{collections::HashMap, future::Future, pin::pin, sync::Arc};

use async_trait::async_trait;
use futures_util::{
    TryStreamExt as _,
    future::{Either, select},
};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::{
    EventLog, Filter, FollowItem, LogId, Poison, Position, ReadError, RecordedEvent, Source,
};

/// How far a follower has come, in which log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The log.
    pub log: LogId,
    /// The last event that was dealt with.
    pub position: Position,
}

/// Keeps checkpoints by follower.
#[async_trait]
pub trait CheckpointStore: Send + Sync {
    /// Returns how far `follower` has come; `None` if it never began.
    async fn load(&self, follower: &str) -> Result<Option<Checkpoint>, ReadError>;

    /// Remembers how far `follower` has come.
    async fn save(&self, follower: &str, checkpoint: Checkpoint) -> Result<(), ReadError>;
}

/// Keeps checkpoints in memory, for read models that live in memory too.
#[derive(Debug, Default)]
pub struct MemoryCheckpoints(Mutex<HashMap<String, Checkpoint>>);

#[async_trait]
impl CheckpointStore for MemoryCheckpoints {
    async fn load(&self, follower: &str) -> Result<Option<Checkpoint>, ReadError> {
        Ok(self.0.lock().get(follower).copied())
    }

    async fn save(&self, follower: &str, checkpoint: Checkpoint) -> Result<(), ReadError> {
        self.0.lock().insert(follower.to_owned(), checkpoint);
        Ok(())
    }
}

/// A read model. Applying must not act on the world: a rebuild applies everything again.
#[async_trait]
pub trait Projection: Send + Sync {
    /// Names it; raise a number in the name when its form changes, and it is rebuilt.
    fn name(&self) -> &'static str;

    /// Says which events it is made of.
    fn filter(&self) -> Filter;

    /// Takes one event in. The checkpoint moves on only after `Ok`.
    async fn apply(&self, event: &RecordedEvent) -> Result<(), Source>;

    /// Is told that everything which was in the log when following began has been applied.
    async fn caught_up(&self) {}

    /// Is told of something in the log that cannot be read, which is passed over.
    async fn poisoned(&self, poison: &Poison);
}

/// Acts on the world because of events. Must bear to see an event again after a crash: at least once, never less.
#[async_trait]
pub trait Reactor: Send + Sync {
    /// Names it.
    fn name(&self) -> &'static str;

    /// Says which events it reacts to.
    fn filter(&self) -> Filter;

    /// Reacts to one event. The checkpoint moves on only after `Ok`.
    async fn react(&self, event: &RecordedEvent) -> Result<(), Source>;

    /// Is told of something in the log that cannot be read, which is passed over.
    async fn poisoned(&self, poison: &Poison);
}

/// Why following stopped. The caller waits a little and begins again at the checkpoint.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FollowError {
    /// The log or the checkpoints cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The follower failed at an event.
    #[error("{follower} failed at position {position}")]
    Failed {
        /// Its name.
        follower: &'static str,
        /// The event.
        position: Position,
        /// Why.
        source: Source,
    },
    /// The stream of events ended, as when the log was closed.
    #[error("the log was closed")]
    Closed,
}

/// Follows the log for `projection` until something fails or the future is dropped.
///
/// # Errors
/// Always ends with one.
pub async fn run_projection(
    log: &Arc<dyn EventLog>,
    projection: &dyn Projection,
    checkpoints: &dyn CheckpointStore,
) -> Result<std::convert::Infallible, FollowError> {
    let name = projection.name();
    let mut items = begin(log, name, &projection.filter(), checkpoints).await?;
    while let Some(item) = items.try_next().await? {
        let position = match item {
            FollowItem::Event(event) => {
                let failed = |source| FollowError::Failed {
                    follower: name,
                    position: event.position,
                    source,
                };
                projection.apply(&event).await.map_err(failed)?;
                event.position
            }
            FollowItem::CaughtUp(position) => {
                projection.caught_up().await;
                let Some(position) = position else { continue };
                position
            }
            FollowItem::Poison(poison) => {
                projection.poisoned(&poison).await;
                poison.position
            }
            FollowItem::Checkpoint(position) => position,
        };
        checkpoints.save(name, Checkpoint { log: log.id(), position }).await?;
    }
    Err(FollowError::Closed)
}

/// Follows the log for `reactor` until something fails or `stop` completes. What the reactor is doing then is let finish:
/// dropped in the middle, it would do it again at the next start.
///
/// # Errors
/// Says why it cannot go on. Without one it was told to stop.
pub async fn run_reactor(
    log: &Arc<dyn EventLog>,
    reactor: &dyn Reactor,
    checkpoints: &dyn CheckpointStore,
    stop: impl Future<Output = ()> + Send,
) -> Result<(), FollowError> {
    let name = reactor.name();
    let mut stop = pin!(stop);
    let mut items = begin(log, name, &reactor.filter(), checkpoints).await?;
    loop {
        let item = match select(items.try_next(), &mut stop).await {
            Either::Left((item, _)) => item?.ok_or(FollowError::Closed)?,
            Either::Right(((), _)) => return Ok(()),
        };
        let position = match item {
            FollowItem::Event(event) => {
                let failed = |source| FollowError::Failed {
                    follower: name,
                    position: event.position,
                    source,
                };
                reactor.react(&event).await.map_err(failed)?;
                event.position
            }
            FollowItem::Poison(poison) => {
                reactor.poisoned(&poison).await;
                poison.position
            }
            FollowItem::CaughtUp(Some(position)) | FollowItem::Checkpoint(position) => position,
            FollowItem::CaughtUp(None) => continue,
        };
        checkpoints.save(name, Checkpoint { log: log.id(), position }).await?;
    }
}

/// Begins after the checkpoint; one of another log does not count.
async fn begin(
    log: &Arc<dyn EventLog>,
    name: &str,
    filter: &Filter,
    checkpoints: &dyn CheckpointStore,
) -> Result<crate::FollowStream, ReadError> {
    let checkpoint = checkpoints.load(name).await?.filter(|checkpoint| checkpoint.log == log.id());
    log.follow(filter, checkpoint.map(|checkpoint| checkpoint.position)).await
}
