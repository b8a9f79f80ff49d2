//! The one thread that writes. It takes everything that is waiting, checks revisions, writes one batch, syncs once, and
//! answers everyone; while it syncs, the next batch gathers.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::{Duration, Instant},
};

use countersign_eventsourcing::{
    AppendError, Appended, Corruption, ExpectedRevision, ReadError, StreamId,
};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::{
    EmbeddedOptions,
    batch::{Batch, Staged},
    error::{Refused, StoreError},
    free_space::FreeSpace,
    lock::DirectoryLock,
    read::ids_at,
    shared::{Opened, Shared},
    store::Store,
};
use crate::{envelope::Draft, following::Head};

/// How long checkpoints wait for a batch to ride with.
const CHECKPOINT_DELAY: Duration = Duration::from_millis(100);
/// How long to wait before trying to reopen again, at first and at most.
const REOPEN_DELAY: Duration = Duration::from_millis(100);
const MAX_REOPEN_DELAY: Duration = Duration::from_secs(5);
/// How many bytes of events at most share one sync.
const MAX_BATCH_BYTES: usize = 8 * 1024 * 1024;
/// So many appends that wait at the end of a batch, its own included, are a crowd: the next batch is let gather for a
/// moment, because a sync costs as much for three as for thirty, and the processor's time that this saves is worth more
/// than the moment.
const CROWD: usize = 6;
/// How long a batch is let gather in a crowd; about as long as a sync takes.
const GATHERING: Duration = Duration::from_micros(200);

/// What the writer is asked.
pub(crate) enum Command {
    Append(Append),
    /// Keep a snapshot.
    Snapshot(StreamId, Vec<u8>),
    /// Checkpoints are waiting.
    Checkpoints,
    Close,
}

/// An append that waits for its answer.
pub(crate) struct Append {
    pub(crate) stream: StreamId,
    pub(crate) expected: ExpectedRevision,
    pub(crate) events: Vec<(Uuid, Draft)>,
    pub(crate) bytes: usize,
    pub(crate) reply: oneshot::Sender<Result<Appended, AppendError>>,
}

/// How many appends wait, and how many bytes of events they have.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    bytes: AtomicUsize,
    appends: AtomicUsize,
}

impl Waiting {
    const MAX_BYTES: usize = 64 * 1024 * 1024;

    /// Returns whether there was room.
    pub(crate) fn enter(&self, bytes: usize) -> bool {
        self.appends.fetch_add(1, Ordering::Relaxed);
        if self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes <= Self::MAX_BYTES {
            return true;
        }
        self.leave(bytes);
        false
    }

    fn leave(&self, bytes: usize) {
        self.appends.fetch_sub(1, Ordering::Relaxed);
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    fn appends(&self) -> usize {
        self.appends.load(Ordering::Relaxed)
    }
}

pub(crate) struct Writer {
    pub(crate) shared: Arc<Shared>,
    pub(crate) options: EmbeddedOptions,
    pub(crate) head: Head,
    pub(crate) waiting: Arc<Waiting>,
    pub(crate) commands: Receiver<Command>,
    pub(crate) lock: DirectoryLock,
    /// Appends that need the outcome of the batch before.
    deferred: Vec<Append>,
    closing: bool,
    write_checkpoints_at: Option<Instant>,
    reopen_at: Option<(Instant, Duration)>,
    /// Whether so many append at once that letting a batch gather is worth it.
    crowded: bool,
    free_space: FreeSpace,
}

impl Writer {
    pub(crate) fn new(
        shared: Arc<Shared>,
        options: EmbeddedOptions,
        head: Head,
        waiting: Arc<Waiting>,
        commands: Receiver<Command>,
        lock: DirectoryLock,
    ) -> Self {
        Self {
            shared,
            options,
            head,
            waiting,
            commands,
            lock,
            deferred: Vec::new(),
            closing: false,
            write_checkpoints_at: None,
            reopen_at: None,
            crowded: false,
            free_space: FreeSpace::default(),
        }
    }

    /// Writes until the log is closed and nothing waits.
    pub(crate) fn run(mut self) {
        let (mut appends, mut snapshots) = (Vec::new(), Vec::new());
        while !self.closing {
            self.gather(&mut appends, &mut snapshots);
            self.reopen_if_due();
            self.write(&mut appends, &mut snapshots);
        }
        while !self.deferred.is_empty() {
            self.write(&mut appends, &mut snapshots);
        }
        self.close();
    }

    /// Waits for something to do, and takes all of it that fits into one batch.
    fn gather(&mut self, appends: &mut Vec<Append>, snapshots: &mut Vec<(StreamId, Vec<u8>)>) {
        appends.append(&mut self.deferred);
        let mut bytes = appends.iter().map(|append| append.bytes).sum::<usize>();
        let mut next = if appends.is_empty() { self.wait() } else { self.commands.try_recv().ok() };
        if self.crowded && matches!(next, Some(Command::Append(_))) {
            // Ends early at worst: nobody unparks this thread.
            std::thread::park_timeout(GATHERING);
        }
        while let Some(command) = next {
            match command {
                Command::Append(append) => {
                    bytes += append.bytes;
                    appends.push(append);
                }
                Command::Snapshot(stream, value) => {
                    bytes += value.len();
                    snapshots.push((stream, value));
                }
                Command::Checkpoints => {
                    self.write_checkpoints_at
                        .get_or_insert_with(|| Instant::now() + CHECKPOINT_DELAY);
                }
                // What was sent before has been taken; what is sent after is not answered, and says so.
                Command::Close => {
                    self.closing = true;
                    return;
                }
            }
            if appends.len() >= self.options.max_batch || bytes >= MAX_BATCH_BYTES {
                return;
            }
            next = self.commands.try_recv().ok();
        }
    }

    fn wait(&mut self) -> Option<Command> {
        let reopen_at = self.reopen_at.map(|(at, _)| at);
        match [self.write_checkpoints_at, reopen_at].into_iter().flatten().min() {
            None => self.commands.recv().map_or(Some(Command::Close), Some),
            Some(at) => {
                match self.commands.recv_timeout(at.saturating_duration_since(Instant::now())) {
                    Ok(command) => Some(command),
                    Err(RecvTimeoutError::Timeout) => None,
                    Err(RecvTimeoutError::Disconnected) => Some(Command::Close),
                }
            }
        }
    }

    fn write(&mut self, appends: &mut Vec<Append>, snapshots: &mut Vec<(StreamId, Vec<u8>)>) {
        appends.append(&mut self.deferred);
        if let Err(error) = self.ready(!appends.is_empty()) {
            snapshots.clear();
            for append in appends.drain(..) {
                self.waiting.leave(append.bytes);
                answer(append.reply, Err(error.clone()));
            }
            return;
        }
        let mut batch = Batch::new(self.head.next());
        for append in appends.drain(..) {
            match batch.stage(&self.shared, append) {
                Staged::Yes => {}
                Staged::NotYet(append) => self.deferred.push(append),
                Staged::Refused(append, error) => {
                    self.waiting.leave(append.bytes);
                    let outcome = first_time(&self.shared, &append).unwrap_or(Err(error));
                    answer(append.reply, outcome);
                }
            }
        }
        let due = self.write_checkpoints_at.is_some_and(|at| self.closing || at <= Instant::now());
        let checkpoints = if due { self.shared.checkpoints.take_unwritten() } else { Vec::new() };
        if due {
            self.write_checkpoints_at = None;
        }
        let snapshots = std::mem::take(snapshots);
        if batch.is_empty() && checkpoints.is_empty() && snapshots.is_empty() {
            return;
        }
        let outcome = match &*self.shared.store.read() {
            Opened::Yes(store) => batch.commit(store, &snapshots, &checkpoints),
            Opened::No(_) | Opened::Damaged(_) => Ok(()),
        };
        if outcome.is_err() && !checkpoints.is_empty() {
            self.shared.checkpoints.put_back(checkpoints.into_iter().map(|(name, _)| name));
            self.write_checkpoints_at = Some(Instant::now() + CHECKPOINT_DELAY);
        }
        // Those of this batch, and those that came while it was written.
        self.crowded = self.waiting.appends() >= CROWD;
        for append in batch.appends() {
            self.waiting.leave(append.bytes);
        }
        match outcome {
            Ok(()) => batch.succeeded(&self.shared, &self.head),
            Err(error) => self.failed(batch, error),
        }
    }

    /// Says why nothing can be written now, if so.
    fn ready(&mut self, with_events: bool) -> Result<(), AppendError> {
        match &*self.shared.store.read() {
            Opened::Yes(_) => {}
            Opened::No(refused) => return Err(AppendError::Unavailable(refused.clone().source())),
            Opened::Damaged(corruption) => return Err(AppendError::Corrupt(corruption.clone())),
        }
        if with_events {
            self.free_space.check(&self.shared.directory, self.options.free_space_reserve)?;
        }
        Ok(())
    }

    /// After a failed write fjall takes no more, and what it had begun to write may or may not be in the file, or
    /// arrive there when it is closed. So it is closed at once, the batch is cut off, and it is opened again.
    fn failed(&mut self, batch: Batch, error: StoreError) {
        let (StoreError::Io(what) | StoreError::Damaged(what)) = error;
        tracing::error!(error = what, "the event log could not be written; reopening it");
        self.discard_store(Refused::Reopening(what.clone()));
        let refused = Refused::Write(what).source();
        let error = match Store::discard(&self.shared.directory, self.head.next()) {
            Ok(()) => AppendError::Unavailable(refused),
            Err(error) => {
                tracing::error!(%error, "the unfinished write could not be taken back");
                AppendError::Unknown(refused)
            }
        };
        batch.refused(&error);
        self.reopen_at = Some((Instant::now(), REOPEN_DELAY));
        self.reopen_if_due();
    }

    fn discard_store(&self, refused: Refused) {
        // In two steps, so that dropping it does not happen under the lock.
        let store = std::mem::replace(&mut *self.shared.store.write(), Opened::No(refused));
        drop(store);
    }

    fn reopen_if_due(&mut self) {
        let Some((at, delay)) = self.reopen_at.filter(|(at, _)| *at <= Instant::now()) else {
            return;
        };
        let next = self.head.next();
        let opened = match Store::open(&self.shared.directory, &self.options, Some(next)) {
            Ok(store) if store.next == next => Opened::Yes(Box::new(store)),
            Ok(store) => Opened::Damaged(Corruption {
                place: self.shared.directory.display().to_string(),
                what: format!(
                    "after reopening, the log has {} events instead of {next}",
                    store.next
                ),
            }),
            Err(super::OpenError::Corrupt(corruption)) => Opened::Damaged(corruption),
            Err(error) => {
                tracing::warn!(%error, waited = ?at.elapsed(), "the event log cannot be reopened yet");
                let delay = (delay * 2).min(MAX_REOPEN_DELAY);
                self.reopen_at = Some((Instant::now() + delay, delay));
                return;
            }
        };
        self.reopen_at = None;
        match &opened {
            Opened::Yes(_) => tracing::info!("the event log is open again"),
            Opened::Damaged(corruption) => tracing::error!(%corruption, "the event log is damaged"),
            Opened::No(_) => {}
        }
        *self.shared.store.write() = opened;
    }

    fn close(self) {
        let checkpoints = self.shared.checkpoints.take_unwritten();
        let store = std::mem::replace(&mut *self.shared.store.write(), Opened::No(Refused::Closed));
        if let Opened::Yes(mut store) = store {
            store.next = self.head.next();
            let written = Batch::new(store.next)
                .commit(&store, &[], &checkpoints)
                .and_then(|()| store.mark_closed());
            if let Err(StoreError::Io(error) | StoreError::Damaged(error)) = written {
                tracing::warn!(error, "the event log was not closed cleanly; nothing is lost");
            }
        }
        self.head.close();
        while let Ok(command) = self.commands.try_recv() {
            if let Command::Append(append) = command {
                answer(append.reply, Err(AppendError::Unavailable(Refused::Closed.source())));
            }
        }
        drop(self.lock);
    }
}

/// Answers; whoever stopped waiting reads the stream back.
pub(crate) fn answer<T>(reply: oneshot::Sender<T>, outcome: T) {
    drop(reply.send(outcome));
}

/// Finds what the same append did the first time. `None` if it was never carried out.
fn first_time(shared: &Shared, append: &Append) -> Option<Result<Appended, AppendError>> {
    let first = append.expected.first();
    let stored = match ids_at(shared, &append.stream, first, append.events.len()) {
        Ok(stored) => stored,
        Err(ReadError::Unavailable(source)) => return Some(Err(AppendError::Unavailable(source))),
        Err(ReadError::Corrupt(corruption)) => return Some(Err(AppendError::Corrupt(corruption))),
    };
    let last = stored.last()?;
    let same =
        stored.iter().map(|recorded| recorded.event.id).eq(append.events.iter().map(|(id, _)| *id));
    same.then_some(Ok(Appended { last_revision: last.revision, position: last.position }))
}
