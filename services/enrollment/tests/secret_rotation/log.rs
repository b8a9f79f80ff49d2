//! A log that can be told to stop taking events, at any append.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use async_trait::async_trait;
use countersign_eventlog::memory::MemoryLog;
use countersign_eventsourcing::{
    AppendError, Appended, EventLog, EventStream, ExpectedRevision, Filter, FollowStream, LogId,
    NewEvent, Position, ReadError, Revision, StreamId,
};

/// Takes so many events as it is told to.
pub(crate) struct EndingLog {
    log: MemoryLog,
    left: AtomicU64,
    /// Whether the last append that it takes is taken without saying so.
    loses_the_last: AtomicBool,
}

impl Default for EndingLog {
    fn default() -> Self {
        let (left, loses_the_last) = (AtomicU64::new(u64::MAX), AtomicBool::new(false));
        Self { log: MemoryLog::default(), left, loses_the_last }
    }
}

impl EndingLog {
    /// Takes `count` appends from now on, and no more.
    pub(crate) fn end_after(&self, count: u64, loses_the_last: bool) {
        self.loses_the_last.store(loses_the_last, Ordering::SeqCst);
        self.left.store(count, Ordering::SeqCst);
    }

    /// Takes whatever comes, and returns whether it had refused anything.
    pub(crate) fn heal(&self) -> bool {
        self.left.swap(u64::MAX, Ordering::SeqCst) == 0
    }
}

fn away() -> Arc<dyn std::error::Error + Send + Sync> {
    Arc::new(std::io::Error::other("away"))
}

#[async_trait]
impl EventLog for EndingLog {
    fn id(&self) -> LogId {
        self.log.id()
    }

    async fn append(
        &self,
        stream: &StreamId,
        expected: ExpectedRevision,
        events: &[NewEvent],
    ) -> Result<Appended, AppendError> {
        let less = |left: u64| left.checked_sub(1);
        match self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less) {
            Err(_) => Err(AppendError::Unavailable(away())),
            Ok(1) if self.loses_the_last.load(Ordering::SeqCst) => {
                self.log.append(stream, expected, events).await?;
                Err(AppendError::Unknown(away()))
            }
            Ok(_) => self.log.append(stream, expected, events).await,
        }
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
