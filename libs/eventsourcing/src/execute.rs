//! Carrying a command out: load, fold, decide, append; on a conflict, reload and decide again.

use std::{collections::VecDeque, fmt, sync::Arc};

use futures_util::TryStreamExt as _;
use quick_cache::sync::Cache;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    AppendError, Corruption, DecodeError, EventCodec, EventLog, ExpectedRevision, Metadata,
    NewEvent, ReadError, RecordedEvent, Revision, SnapshotStore, StreamId, queue::TurnQueue,
};

/// How often a command is decided before it is given up as contended. Within one process commands take turns, so only
/// other processes can get in between.
const MAX_DECISIONS: usize = 16;

/// How many of a stream's latest commands are remembered, so that a repeated one is found.
const REMEMBERED_COMMANDS: usize = 128;

/// How many events a stream grows between two snapshots.
const SNAPSHOT_INTERVAL: u64 = 200;

/// Who asks for a command, and under which id.
#[derive(Clone, Debug)]
pub struct Request {
    /// Names the command; its events' ids are made from it, so that a repeat finds them.
    pub command_id: Uuid,
    /// What its events carry besides their payload.
    pub metadata: Metadata,
}

/// A fold of one stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Folded<S> {
    /// What the fold knows.
    pub state: S,
    /// How many events were folded, which is the revision of the next one.
    pub next_revision: u64,
    recent: VecDeque<RecentCommand>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct RecentCommand {
    id: Uuid,
    request_digest: u64,
    first_revision: u64,
}

impl<S: Default> Default for Folded<S> {
    fn default() -> Self {
        Self { state: S::default(), next_revision: 0, recent: VecDeque::new() }
    }
}

impl<S> Folded<S> {
    const fn expected(&self) -> ExpectedRevision {
        match self.next_revision.checked_sub(1) {
            None => ExpectedRevision::NoStream,
            Some(last) => ExpectedRevision::Exact(Revision(last)),
        }
    }

    fn find(&self, command_id: Uuid) -> Option<RecentCommand> {
        self.recent.iter().rev().find(|recent| recent.id == command_id).copied()
    }

    fn note(&mut self, command_id: Uuid, request_digest: u64, revision: u64) {
        if self.recent.back().is_some_and(|last| last.id == command_id) {
            return;
        }
        if self.recent.len() == REMEMBERED_COMMANDS {
            self.recent.pop_front();
        }
        let first_revision = revision;
        self.recent.push_back(RecentCommand { id: command_id, request_digest, first_revision });
    }
}

/// What a command did.
#[derive(Clone, Debug)]
pub struct Executed<D: EventCodec> {
    /// Its events: those just appended, or those of the first time if it is a repeat.
    pub events: Vec<D::Event>,
    /// The stream as it stands now.
    pub folded: Arc<Folded<D::State>>,
    /// Whether the command had been carried out before.
    pub repeated: bool,
}

/// Why a command came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExecuteError<R: std::error::Error> {
    /// The domain does not allow it.
    #[error(transparent)]
    Rejected(R),
    /// The command's id was used before, with other content.
    #[error("the request id was used before for another request")]
    RequestIdReused,
    /// Others kept getting in between. Try again.
    #[error("other requests for the same user got in between; try again")]
    Contended,
    /// The log cannot be reached. Try again later.
    #[error("the event log is unavailable")]
    Unavailable(#[source] SourceError),
    /// What is stored cannot be read, or the events cannot be stored as they are.
    #[error("the event log is damaged or too new for this release")]
    Corrupt(#[source] SourceError),
}

/// An error of the log, kept for the operator's log. Equal to any other, so that outcomes compare in tests.
#[derive(Clone)]
pub struct SourceError(pub crate::Source);

impl PartialEq for SourceError {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}
impl Eq for SourceError {}

impl fmt::Debug for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for SourceError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

impl<R: std::error::Error> From<ReadError> for ExecuteError<R> {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Unavailable(source) => Self::Unavailable(SourceError(source)),
            ReadError::Corrupt(corruption) => Self::Corrupt(SourceError(Arc::new(corruption))),
        }
    }
}

/// Carries out the commands of one decider over one log.
pub struct Executor<D: EventCodec> {
    log: Arc<dyn EventLog>,
    snapshots: Arc<dyn SnapshotStore>,
    cache: Cache<StreamId, Arc<Folded<D::State>>>,
    turns: TurnQueue,
}

impl<D: EventCodec> fmt::Debug for Executor<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Executor").field("category", &D::CATEGORY).finish_non_exhaustive()
    }
}

impl<D: EventCodec> Executor<D> {
    /// Makes an executor that keeps at most `cached_streams` folds in memory.
    #[must_use]
    pub fn new(
        log: Arc<dyn EventLog>,
        snapshots: Arc<dyn SnapshotStore>,
        cached_streams: usize,
    ) -> Self {
        Self { log, snapshots, cache: Cache::new(cached_streams), turns: TurnQueue::default() }
    }

    /// Returns the fold of `stream`, caught up with the log.
    ///
    /// # Errors
    /// Says that the log cannot be read, or holds what this release does not know.
    pub async fn load(&self, stream: &StreamId) -> Result<Arc<Folded<D::State>>, ReadError> {
        let known = match self.cache.get(stream) {
            Some(folded) => {
                if self.log.known_length(stream) == Some(folded.next_revision) {
                    return Ok(folded);
                }
                folded
            }
            None => Arc::new(self.load_snapshot(stream).await),
        };
        let started_at = known.next_revision;
        let mut newer = self.log.read(stream, Revision(started_at)).await?;
        let Some(first) = newer.try_next().await? else {
            if started_at > 0 && self.cache.peek(stream).is_none() {
                self.remember(stream, Arc::clone(&known));
            }
            return Ok(known);
        };
        let mut folded = Arc::unwrap_or_clone(known);
        fold_recorded::<D>(&mut folded, &first)?;
        while let Some(recorded) = newer.try_next().await? {
            fold_recorded::<D>(&mut folded, &recorded)?;
        }
        let folded = Arc::new(folded);
        self.remember(stream, Arc::clone(&folded));
        if folded.next_revision / SNAPSHOT_INTERVAL > started_at / SNAPSHOT_INTERVAL {
            self.save_snapshot(stream, &folded).await;
        }
        Ok(folded)
    }

    /// Carries `command` out on `stream`, once: a repeat of the same `request.command_id` returns what it did the
    /// first time.
    ///
    /// # Errors
    /// Says why it came to nothing; with [`ExecuteError::Rejected`] nothing happened.
    pub async fn execute(
        &self,
        stream: &StreamId,
        request: &Request,
        command: D::Command,
    ) -> Result<Executed<D>, ExecuteError<D::Rejection>> {
        let _turn = self.turns.enter(stream).await;
        let mut lost_answer = None;
        for _ in 0..MAX_DECISIONS {
            let folded = self.load(stream).await?;
            if let Some(executed) = self.recall(stream, &folded, request).await? {
                return Ok(Executed { repeated: lost_answer.is_none(), ..executed });
            }
            let events =
                D::decide(&folded.state, command.clone()).map_err(ExecuteError::Rejected)?;
            if events.is_empty() {
                return Ok(Executed { events, folded, repeated: false });
            }
            let encoded = encode::<D>(request, &events);
            match self.log.append(stream, folded.expected(), &encoded).await {
                Ok(_) => {
                    let folded = self.advance(stream, folded, request, &events).await;
                    return Ok(Executed { events, folded, repeated: false });
                }
                Err(AppendError::Conflict { .. }) => {}
                // Read back and look for our ids before deciding again.
                Err(AppendError::Unknown(source)) => lost_answer = Some(SourceError(source)),
                Err(AppendError::Unavailable(source)) => {
                    return Err(ExecuteError::Unavailable(SourceError(source)));
                }
                Err(error @ (AppendError::TooLarge { .. } | AppendError::Corrupt(_))) => {
                    return Err(ExecuteError::Corrupt(SourceError(Arc::new(error))));
                }
            }
        }
        match lost_answer {
            Some(source) => Err(ExecuteError::Unavailable(source)),
            None => Err(ExecuteError::Contended),
        }
    }

    /// Folds events that were just appended, without reading them back.
    async fn advance(
        &self,
        stream: &StreamId,
        folded: Arc<Folded<D::State>>,
        request: &Request,
        events: &[D::Event],
    ) -> Arc<Folded<D::State>> {
        let started_at = folded.next_revision;
        // Taken out first, so that the fold is usually ours alone and need not be copied.
        self.cache.remove(stream);
        let mut next = Arc::unwrap_or_clone(folded);
        for event in events {
            let state = std::mem::take(&mut next.state);
            next.state = D::evolve(state, event);
            let digest = request.metadata.request_digest;
            next.note(request.command_id, digest, next.next_revision);
            next.next_revision += 1;
        }
        let next = Arc::new(next);
        self.remember(stream, Arc::clone(&next));
        if next.next_revision / SNAPSHOT_INTERVAL > started_at / SNAPSHOT_INTERVAL {
            self.save_snapshot(stream, &next).await;
        }
        next
    }

    /// Returns what `request` did the first time, if `folded` knows that it was carried out before. For use cases that
    /// must look at the state before they can make their command.
    ///
    /// # Errors
    /// Says that the id was used for another request, or that the log cannot be read.
    pub async fn recall(
        &self,
        stream: &StreamId,
        folded: &Arc<Folded<D::State>>,
        request: &Request,
    ) -> Result<Option<Executed<D>>, ExecuteError<D::Rejection>> {
        let Some(first) = folded.find(request.command_id) else { return Ok(None) };
        if first.request_digest != request.metadata.request_digest {
            return Err(ExecuteError::RequestIdReused);
        }
        let mut recorded = self.log.read(stream, Revision(first.first_revision)).await?;
        let mut events = Vec::new();
        while let Some(next) = recorded.try_next().await.map_err(ExecuteError::from)? {
            if next.event.metadata.causation_id != first.id {
                break;
            }
            events.push(decode::<D>(&next).map_err(ExecuteError::from)?);
        }
        Ok(Some(Executed { events, folded: Arc::clone(folded), repeated: true }))
    }

    /// Keeps the newer of two folds of one stream.
    fn remember(&self, stream: &StreamId, folded: Arc<Folded<D::State>>) {
        let is_newer = self
            .cache
            .peek(stream)
            .is_none_or(|cached| cached.next_revision <= folded.next_revision);
        if is_newer {
            self.cache.insert(stream.clone(), folded);
        }
    }

    async fn load_snapshot(&self, stream: &StreamId) -> Folded<D::State> {
        let bytes = self.snapshots.load(stream, D::STATE_VERSION).await;
        bytes.and_then(|bytes| postcard::from_bytes(&bytes).ok()).unwrap_or_default()
    }

    async fn save_snapshot(&self, stream: &StreamId, folded: &Folded<D::State>) {
        // A state that cannot be serialised is only never snapshotted; the scenario tests would show it.
        if let Ok(bytes) = postcard::to_allocvec(folded) {
            self.snapshots.save(stream, D::STATE_VERSION, bytes).await;
        }
    }
}

fn encode<D: EventCodec>(request: &Request, events: &[D::Event]) -> Vec<NewEvent> {
    let metadata = Metadata { causation_id: request.command_id, ..request.metadata.clone() };
    events
        .iter()
        .enumerate()
        .map(|(index, event)| {
            let encoded = D::encode(event);
            NewEvent {
                id: Uuid::new_v5(&request.command_id, &(index as u64).to_be_bytes()),
                event_type: encoded.event_type.into(),
                schema_version: encoded.schema_version,
                payload: encoded.payload,
                metadata: metadata.clone(),
            }
        })
        .collect()
}

fn decode<D: EventCodec>(recorded: &RecordedEvent) -> Result<D::Event, ReadError> {
    let event = &recorded.event;
    D::decode(&event.event_type, event.schema_version, &event.payload).map_err(
        |error: DecodeError| {
            ReadError::Corrupt(Corruption {
                place: format!("{} revision {}", recorded.stream, recorded.revision),
                what: error.to_string(),
            })
        },
    )
}

fn fold_recorded<D: EventCodec>(
    folded: &mut Folded<D::State>,
    recorded: &RecordedEvent,
) -> Result<(), ReadError> {
    if recorded.revision.0 != folded.next_revision {
        return Err(ReadError::Corrupt(Corruption {
            place: format!("{} revision {}", recorded.stream, folded.next_revision),
            what: format!("missing: the next one found is revision {}", recorded.revision),
        }));
    }
    let event = decode::<D>(recorded)?;
    let state = std::mem::take(&mut folded.state);
    folded.state = D::evolve(state, &event);
    let metadata = &recorded.event.metadata;
    folded.note(metadata.causation_id, metadata.request_digest, recorded.revision.0);
    folded.next_revision += 1;
    Ok(())
}
