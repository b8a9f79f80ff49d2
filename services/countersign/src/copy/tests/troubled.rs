//! A log in memory that has bad moments, at will.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use async_trait::async_trait;
use countersign_eventlog::memory::MemoryLog;
use countersign_eventsourcing::{
    AppendError, Appended, EventLog, EventStream, ExpectedRevision, Filter, FollowItem,
    FollowStream, LogId, NewEvent, Poison, Position, ReadError, Revision, Source, StreamId,
};
use futures_util::{StreamExt as _, stream};

/// What happens to every so many calls.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Troubles {
    /// Every so many appends are refused; 0 is never.
    pub(super) refused_every: u64,
    /// Of every so many appends the answer is lost.
    pub(super) unanswered_every: u64,
    /// Following ends after so many items.
    pub(super) cut_after: usize,
    /// What stands at the places of these events cannot be read.
    pub(super) poisoned: &'static [u64],
    /// So many bytes of payload are the most that it takes at once.
    pub(super) largest: Option<usize>,
    /// Everything fails.
    pub(super) away: bool,
}

#[derive(Default)]
pub(super) struct Troubled {
    pub(super) log: MemoryLog,
    pub(super) troubles: Troubles,
    /// How many appends were asked for.
    pub(super) appends: AtomicU64,
}

impl Troubled {
    pub(super) fn new(troubles: Troubles) -> Self {
        Self { troubles, ..Self::default() }
    }

    fn away(&self) -> Result<(), Source> {
        if self.troubles.away { Err(Arc::new(std::fmt::Error)) } else { Ok(()) }
    }
}

#[async_trait]
impl EventLog for Troubled {
    fn id(&self) -> LogId {
        self.log.id()
    }

    async fn append(
        &self,
        stream: &StreamId,
        expected: ExpectedRevision,
        events: &[NewEvent],
    ) -> Result<Appended, AppendError> {
        self.away().map_err(AppendError::Unavailable)?;
        let count = self.appends.fetch_add(1, Ordering::Relaxed) + 1;
        if count.is_multiple_of(self.troubles.refused_every) {
            return Err(AppendError::Unavailable(Arc::new(std::fmt::Error)));
        }
        let actual = events.iter().map(|event| event.payload.len()).sum();
        if let Some(limit) = self.troubles.largest.filter(|limit| actual > *limit) {
            return Err(AppendError::TooLarge { limit, actual });
        }
        let appended = self.log.append(stream, expected, events).await;
        if count.is_multiple_of(self.troubles.unanswered_every) {
            return Err(AppendError::Unknown(Arc::new(std::fmt::Error)));
        }
        appended
    }

    async fn read(&self, stream: &StreamId, from: Revision) -> Result<EventStream, ReadError> {
        self.log.read(stream, from).await
    }

    async fn follow(
        &self,
        filter: &Filter,
        after: Option<Position>,
    ) -> Result<FollowStream, ReadError> {
        self.away().map_err(ReadError::Unavailable)?;
        let poisoned = self.troubles.poisoned;
        let items = self.log.follow(filter, after).await?;
        let items = items.map(move |item| match item {
            Ok(FollowItem::Event(event)) if poisoned.contains(&event.position.0) => {
                Ok(FollowItem::Poison(Poison {
                    position: event.position,
                    place: format!("place {}", event.position),
                    what: "it is no event".to_owned(),
                    bytes: event.event.payload,
                }))
            }
            other => other,
        });
        if self.troubles.cut_after == 0 {
            return Ok(items.boxed());
        }
        let cut = stream::iter([Err(ReadError::Unavailable(Arc::new(std::fmt::Error)))]);
        Ok(items.take(self.troubles.cut_after).chain(cut).boxed())
    }

    async fn head(&self) -> Result<Option<Position>, ReadError> {
        self.away().map_err(ReadError::Unavailable)?;
        self.log.head().await
    }
}
