//! A log in memory that has bad moments, when a test says so.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use countersign_eventsourcing::{
    AppendError, Appended, EventLog, EventStream, ExpectedRevision, Filter, FollowStream, LogId,
    NewEvent, Position, ReadError, Revision, Source, StreamId,
};

use super::MemoryLog;

/// A log in memory for tests of what becomes of whoever uses it while it is in trouble.
#[derive(Debug)]
pub struct TroubledLog {
    log: MemoryLog,
    /// How many appends it refuses first.
    refused: AtomicU64,
    /// How many it takes after those.
    taken: AtomicU64,
    /// Whether it takes the last of them without saying so.
    loses_the_last: AtomicBool,
    is_away: AtomicBool,
}

impl Default for TroubledLog {
    fn default() -> Self {
        Self {
            log: MemoryLog::default(),
            refused: AtomicU64::new(0),
            taken: AtomicU64::new(u64::MAX),
            loses_the_last: AtomicBool::new(false),
            is_away: AtomicBool::new(false),
        }
    }
}

impl TroubledLog {
    /// Refuses the next `count` appends.
    pub fn refuse_appends(&self, count: u64) {
        self.refused.store(count, Ordering::SeqCst);
    }

    /// Takes `count` appends from now on and no more; with `loses_the_last`, the answer to the last of them is lost.
    pub fn end_after(&self, count: u64, loses_the_last: bool) {
        self.loses_the_last.store(loses_the_last, Ordering::SeqCst);
        self.taken.store(count, Ordering::SeqCst);
    }

    /// Takes appends again, and returns whether it had come to the end of those that it was to take.
    pub fn go_on(&self) -> bool {
        self.taken.swap(u64::MAX, Ordering::SeqCst) == 0
    }

    /// Answers nobody, or again.
    pub fn set_away(&self, is_away: bool) {
        self.is_away.store(is_away, Ordering::SeqCst);
    }

    fn answers(&self) -> Result<(), Source> {
        if self.is_away.load(Ordering::SeqCst) { Err(trouble()) } else { Ok(()) }
    }
}

fn trouble() -> Source {
    Arc::new(io::Error::other("the log is in trouble"))
}

/// Takes one away, and returns how many there were; `None` if there was none.
fn one_of(count: &AtomicU64) -> Option<u64> {
    count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).ok()
}

#[async_trait]
impl EventLog for TroubledLog {
    fn id(&self) -> LogId {
        self.log.id()
    }

    async fn append(
        &self,
        stream: &StreamId,
        expected: ExpectedRevision,
        events: &[NewEvent],
    ) -> Result<Appended, AppendError> {
        self.answers().map_err(AppendError::Unavailable)?;
        if one_of(&self.refused).is_some() {
            return Err(AppendError::Unavailable(trouble()));
        }
        match one_of(&self.taken) {
            None => Err(AppendError::Unavailable(trouble())),
            Some(1) if self.loses_the_last.load(Ordering::SeqCst) => {
                self.log.append(stream, expected, events).await?;
                Err(AppendError::Unknown(trouble()))
            }
            Some(_) => self.log.append(stream, expected, events).await,
        }
    }

    async fn read(&self, stream: &StreamId, from: Revision) -> Result<EventStream, ReadError> {
        self.answers().map_err(ReadError::Unavailable)?;
        self.log.read(stream, from).await
    }

    async fn follow(
        &self,
        filter: &Filter,
        after: Option<Position>,
    ) -> Result<FollowStream, ReadError> {
        self.answers().map_err(ReadError::Unavailable)?;
        self.log.follow(filter, after).await
    }

    async fn head(&self) -> Result<Option<Position>, ReadError> {
        self.answers().map_err(ReadError::Unavailable)?;
        self.log.head().await
    }
}
