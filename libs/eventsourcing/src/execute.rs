//! Carrying a command out: load, fold, decide, append; on a conflict, reload and decide again.

use std::{fmt, pin::pin, sync::Arc};

use futures_util::{
    TryStreamExt as _,
    future::{BoxFuture, Either, poll_immediate, select},
};
use uuid::Uuid;

use crate::{
    AppendError, EventCodec, EventLog, Folded, Metadata, NewEvent, ReadError, Revision,
    SnapshotStore, Source, StreamId,
    folded::decode,
    folds::{Folds, Fresh},
    known::Ticket,
    queue::TurnQueue,
};

/// How often a command is decided before it is given up as contended. Within one process commands take turns, so only
/// other processes can get in between.
const MAX_DECISIONS: usize = 16;

/// Makes what completes when the one who asks just now has to be told something, whatever the log does.
pub type GiveUp = Arc<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>;

/// The log did not answer while there was time.
#[derive(Debug, thiserror::Error)]
#[error("the event log did not answer while there was time to wait for it")]
struct TimeIsUp;

/// Who asks for a command, and under which id.
#[derive(Clone, Debug)]
pub struct Request {
    /// Names the command; its events' ids are made from it, so that a repeat finds them.
    pub command_id: Uuid,
    /// What its events carry besides their payload.
    pub metadata: Metadata,
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
    folds: Arc<Folds<D>>,
    /// Turns of commands. A turn holds why the last one came to nothing, if the log was away.
    turns: TurnQueue<Option<Away>>,
    give_up: Option<GiveUp>,
}

/// The log was away for whoever asked it at `since`.
#[derive(Clone, Debug)]
struct Away {
    since: Ticket,
    source: Source,
}

impl Away {
    /// Returns why there is no need to ask again for somebody who arrived before the log was found away. Otherwise those
    /// who wait for each other would each wait for the log in turn, and be answered long after their deadlines.
    fn tells(away: Option<&Self>, arrived: Ticket) -> Option<Source> {
        away.filter(|away| away.since > arrived).map(|away| Arc::clone(&away.source))
    }
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
        let folds = Arc::new(Folds::new(log, snapshots, cached_streams));
        Self { folds, turns: TurnQueue::default(), give_up: None }
    }

    /// Gives up on the log when `give_up` says so, instead of waiting for as long as the log lets it: each of its answers
    /// may come in time and all together too late.
    #[must_use]
    pub fn giving_up(self, give_up: GiveUp) -> Self {
        Self { give_up: Some(give_up), ..self }
    }

    /// Waits for what the log is asked; `None` if there is no time left for it.
    async fn in_time<T>(&self, asked: impl Future<Output = T>) -> Option<T> {
        let Some(give_up) = &self.give_up else { return Some(asked.await) };
        let mut asked = pin!(asked);
        // What is at hand costs no timer.
        if let Some(answer) = poll_immediate(&mut asked).await {
            return Some(answer);
        }
        match select(asked, give_up()).await {
            Either::Left((answer, _)) => Some(answer),
            Either::Right(((), _)) => None,
        }
    }

    /// Returns the fold of `stream`, caught up with the log. Those who ask at the same time share a read that began after
    /// all of them had asked.
    ///
    /// # Errors
    /// Says that the log cannot be read, or holds what this release does not know.
    pub async fn load(&self, stream: &StreamId) -> Result<Arc<Folded<D::State>>, ReadError> {
        let loaded = self.folds.load_fresh(stream, Fresh::AsOf(self.folds.ticket()));
        let late = || Err(ReadError::Unavailable(Arc::new(TimeIsUp)));
        self.in_time(loaded).await.unwrap_or_else(late)
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
        let fresh = Fresh::AsOf(self.folds.ticket());
        let executed = self.execute_upon(stream, request, command, fresh);
        self.in_time(executed).await.unwrap_or_else(|| Err(late()))
    }

    /// Carries `command` out like [`execute`](Self::execute), for whoever has just loaded the stream to make it: what was
    /// `seen` then is new enough to decide on, and need not be read again.
    ///
    /// # Errors
    /// As [`execute`](Self::execute).
    pub async fn execute_seen(
        &self,
        stream: &StreamId,
        request: &Request,
        command: D::Command,
        seen: u64,
    ) -> Result<Executed<D>, ExecuteError<D::Rejection>> {
        let executed = self.execute_upon(stream, request, command, Fresh::Seen(seen));
        self.in_time(executed).await.unwrap_or_else(|| Err(late()))
    }

    async fn execute_upon(
        &self,
        stream: &StreamId,
        request: &Request,
        command: D::Command,
        fresh: Fresh,
    ) -> Result<Executed<D>, ExecuteError<D::Rejection>> {
        let arrived = self.folds.ticket();
        let mut turn = self.turns.enter(stream).await;
        if let Some(source) = Away::tells(turn.left(), arrived) {
            return Err(ExecuteError::Unavailable(SourceError(source)));
        }
        let since = self.folds.ticket();
        let executed = self.execute_in_turn(stream, request, command, fresh).await;
        if let Err(ExecuteError::Unavailable(SourceError(source))) = &executed {
            turn.leave(Some(Away { since, source: Arc::clone(source) }));
        }
        executed
    }

    async fn execute_in_turn(
        &self,
        stream: &StreamId,
        request: &Request,
        command: D::Command,
        mut fresh: Fresh,
    ) -> Result<Executed<D>, ExecuteError<D::Rejection>> {
        let mut lost_answer = None;
        for _ in 0..MAX_DECISIONS {
            let folded = self.folds.load_fresh(stream, fresh).await?;
            if let Some(executed) = self.recall(stream, &folded, request).await? {
                return Ok(Executed { repeated: lost_answer.is_none(), ..executed });
            }
            let events =
                D::decide(&folded.state, command.clone()).map_err(ExecuteError::Rejected)?;
            if events.is_empty() {
                return Ok(Executed { events, folded, repeated: false });
            }
            let encoded = encode::<D>(request, &events);
            let since = self.folds.ticket();
            match self.folds.log().append(stream, folded.expected(), &encoded).await {
                Ok(_) => {
                    let folded = self.folds.advance(stream, folded, request, &events, since).await;
                    return Ok(Executed { events, folded, repeated: false });
                }
                // What is known is not what is stored: read before deciding again, and look for our ids.
                Err(AppendError::Conflict { .. }) => fresh = Fresh::AsOf(self.folds.ticket()),
                Err(AppendError::Unknown(source)) => {
                    fresh = Fresh::AsOf(self.folds.ticket());
                    lost_answer = Some(SourceError(source));
                }
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
        let mut recorded = self.folds.log().read(stream, Revision(first.first_revision)).await?;
        let mut events = Vec::new();
        while let Some(next) = recorded.try_next().await.map_err(ExecuteError::from)? {
            if next.event.metadata.causation_id != first.id {
                break;
            }
            events.push(decode::<D>(&next).map_err(ExecuteError::from)?);
        }
        Ok(Some(Executed { events, folded: Arc::clone(folded), repeated: true }))
    }
}

/// It may have been carried out: the caller is told to repeat the request, which looks for it.
fn late<R: std::error::Error>() -> ExecuteError<R> {
    ExecuteError::Unavailable(SourceError(Arc::new(TimeIsUp)))
}

fn encode<D: EventCodec>(request: &Request, events: &[D::Event]) -> Vec<NewEvent> {
    let metadata = Metadata { causation_id: request.command_id, ..request.metadata.clone() };
    events
        .iter()
        .enumerate()
        .map(|(index, event)| {
            let encoded = D::encode(event);
            // Of the content too: two replicas may decide the same command at once and differently, as in the ids that they
            // draw, and then only one of them is stored. The other must not take that for its own.
            let name = [&(index as u64).to_be_bytes()[..], &encoded.payload].concat();
            NewEvent {
                id: Uuid::new_v5(&request.command_id, &name),
                event_type: encoded.event_type.into(),
                schema_version: encoded.schema_version,
                payload: encoded.payload,
                metadata: metadata.clone(),
            }
        })
        .collect()
}
