//! The default engine: a data directory on a local disk, for one process.
//!
//! [`fjall`] stores; one thread writes, and all appends that wait share one sync to disk. Reads go to the store
//! directly, and to memory where nothing is newer than the reader knows.
//!
//! ```text
//! append ─┐                 ┌─ batch ─ fjall journal ─ sync ─┐
//! append ─┼─ queue ─ writer ┤                                ├─ heads ─ followers wake ─ answers
//! append ─┘                 └─ the next batch gathers        ┘
//! ```
//!
//! Files: `LOCK` holds the process id of whoever has the directory; `db` is fjall's.
//!
//! When the disk refuses a write, the store is closed, the unfinished batch cut off, and the store opened again as soon as
//! the disk allows: appends answer `Unavailable` meanwhile, and the process need not be restarted.

mod batch;
mod checkpoints;
mod error;
mod free_space;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod journal;
mod lock;
mod options;
mod read;
mod shared;
mod snapshots;
mod store;
mod verify;
mod writer;

use std::{
    fs,
    path::Path,
    sync::{Arc, mpsc},
    thread::JoinHandle,
};

use async_trait::async_trait;
use countersign_eventsourcing::{
    AppendError, Appended, EventLog, EventStream, ExpectedRevision, Filter, FollowStream, LogId,
    NewEvent, Position, ReadError, Revision, StreamId,
};
use parking_lot::{Mutex, RwLock};
use quick_cache::sync::Cache;
use tokio::sync::oneshot;

use self::{
    checkpoints::Checkpoints,
    error::Refused,
    lock::DirectoryLock,
    read::LogPages,
    shared::{Opened, Shared},
    store::{Store, io_error},
    writer::{Append, Command, Waiting, Writer},
};
pub use self::{
    error::OpenError,
    options::EmbeddedOptions,
    verify::{VerifyReport, verify},
};
use crate::{
    MAX_APPEND_BYTES,
    envelope::Draft,
    following::{self, Head},
    matcher::Matcher,
};

/// A log in a data directory. Also keeps snapshots and checkpoints there.
///
/// Dropping it closes it, waiting for the disk; [`close`](Self::close) does so without holding up the async threads.
pub struct EmbeddedLog {
    id: LogId,
    shared: Arc<Shared>,
    head: Head,
    waiting: Arc<Waiting>,
    commands: mpsc::Sender<Command>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl std::fmt::Debug for EmbeddedLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EmbeddedLog")
            .field("directory", &self.shared.directory)
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl EmbeddedLog {
    /// Opens the log in `directory`, making both if need be. Reads and writes files: not for async threads.
    ///
    /// # Errors
    /// Says that another process holds the directory, that it cannot be read or written, or that what is stored is
    /// damaged or too new.
    pub fn open(directory: &Path, options: EmbeddedOptions) -> Result<Self, OpenError> {
        fs::create_dir_all(directory).map_err(|source| io_error(directory, source))?;
        let lock = DirectoryLock::take(directory)?;
        let store = Store::open(directory, &options, None)?;
        let (id, head) = (store.id, Head::new(store.next));
        let shared = Arc::new(Shared {
            directory: directory.to_owned(),
            store: RwLock::new(Opened::Yes(Box::new(store))),
            heads: Cache::new(options.cached_heads),
            checkpoints: Checkpoints::default(),
        });
        let (commands, received) = mpsc::channel();
        let waiting = Arc::<Waiting>::default();
        let writer = Writer::new(
            Arc::clone(&shared),
            options,
            head.clone(),
            Arc::clone(&waiting),
            received,
            lock,
        );
        let writer = std::thread::Builder::new()
            .name("eventlog".to_owned())
            .spawn(move || writer.run())
            .map_err(|source| io_error(directory, source))?;
        Ok(Self { id, shared, head, waiting, commands, writer: Mutex::new(Some(writer)) })
    }

    /// Closes the log: everything that waits is written and answered, then the directory is let go. Later appends and
    /// reads answer that it is closed; followers come to an end.
    pub async fn close(&self) {
        let writer = self.end_writer();
        if tokio::task::spawn_blocking(move || writer.map(JoinHandle::join)).await.is_err() {
            tracing::error!("the event log's writer did not end in order");
        }
    }

    fn end_writer(&self) -> Option<JoinHandle<()>> {
        let writer = self.writer.lock().take();
        // Refused if the writer has ended already, which is what is wanted.
        drop(self.commands.send(Command::Close));
        writer
    }

    fn wake_writer(&self) {
        // Refused if the log is closed; then everything was written when it closed.
        drop(self.commands.send(Command::Checkpoints));
    }

    fn write_snapshot(&self, stream: &StreamId, value: Vec<u8>) {
        // Refused if the log is closed; a snapshot may be lost.
        drop(self.commands.send(Command::Snapshot(stream.clone(), value)));
    }
}

impl Drop for EmbeddedLog {
    fn drop(&mut self) {
        let ended = self.end_writer().map(JoinHandle::join);
        if matches!(ended, Some(Err(_))) {
            tracing::error!("the event log's writer did not end in order");
        }
    }
}

#[async_trait]
impl EventLog for EmbeddedLog {
    fn id(&self) -> LogId {
        self.id
    }

    async fn append(
        &self,
        stream: &StreamId,
        expected: ExpectedRevision,
        events: &[NewEvent],
    ) -> Result<Appended, AppendError> {
        let first = expected.first();
        let drafts = events
            .iter()
            .zip(first.0..)
            .map(|(event, revision)| (event.id, Draft::new(stream, Revision(revision), event)));
        let events: Vec<_> = drafts.collect();
        let bytes = events.iter().map(|(_, draft)| draft.len()).sum();
        if bytes > MAX_APPEND_BYTES {
            return Err(AppendError::TooLarge { limit: MAX_APPEND_BYTES, actual: bytes });
        }
        if !self.waiting.enter(bytes) {
            return Err(AppendError::Unavailable(Refused::Overloaded.source()));
        }
        let (reply, answer) = oneshot::channel();
        let append = Append { stream: stream.clone(), expected, events, bytes, reply };
        let closed = |_| AppendError::Unavailable(Refused::Closed.source());
        self.commands.send(Command::Append(append)).map_err(closed)?;
        answer.await.unwrap_or_else(|_| Err(AppendError::Unknown(Refused::Closed.source())))
    }

    async fn read(&self, stream: &StreamId, from: Revision) -> Result<EventStream, ReadError> {
        read::read_stream(&self.shared, stream, from)
    }

    async fn follow(
        &self,
        filter: &Filter,
        after: Option<Position>,
    ) -> Result<FollowStream, ReadError> {
        let receiver = self.head.subscribe();
        let (next, end) = (after.map_or(0, |after| after.0.saturating_add(1)), self.head.next());
        let matcher = Matcher::new(filter.clone());
        let pages = LogPages::begin(&self.shared, matcher, next, end).await?;
        following::follow(pages, receiver, after)
    }

    fn known_length(&self, stream: &StreamId) -> Option<u64> {
        let head = self.shared.heads.get(stream)?;
        Some(head.map_or(0, |head| head.revision.next().0))
    }

    async fn head(&self) -> Result<Option<Position>, ReadError> {
        self.shared.with_store(|_| Ok(self.head.last()))
    }
}
