//! A log that can be told to be away.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use countersign_eventlog::memory::MemoryLog;
use countersign_eventsourcing::{
    AppendError, Appended, EventLog, EventStream, ExpectedRevision, Filter, FollowStream, LogId,
    NewEvent, Position, ReadError, Revision, StreamId,
};

#[derive(Default)]
pub(crate) struct FlakyLog {
    log: MemoryLog,
    refusals: AtomicUsize,
}

impl FlakyLog {
    /// Refuses the next `count` appends.
    pub(crate) fn refuse_appends(&self, count: usize) {
        self.refusals.store(count, Ordering::SeqCst);
    }
}

#[async_trait]
impl EventLog for FlakyLog {
    fn id(&self) -> LogId {
        self.log.id()
    }

    async fn append(
        &self,
        stream: &StreamId,
        expected: ExpectedRevision,
        events: &[NewEvent],
    ) -> Result<Appended, AppendError> {
        let less = |left: usize| left.checked_sub(1);
        if self.refusals.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_ok() {
            return Err(AppendError::Unavailable(Arc::new(std::io::Error::other("away"))));
        }
        self.log.append(stream, expected, events).await
    }

    async fn read(&self, stream: &StreamId, from: Revision) -> Result<EventStream, ReadError> {
        self.log.read(stream, from).await
    }

    async fn follow(
        &self,
        filter: &Filter,
        after: Option<Position>,
    ) -> Result<FollowStream, ReadError> {
        self.log.follow(filter, after).await
    }

    async fn head(&self) -> Result<Option<Position>, ReadError> {
        self.log.head().await
    }
}
