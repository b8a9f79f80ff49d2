//! A log that fails on demand, over one that does not. Whoever calls it waits a little, as for a network, so that callers
//! who come at once get in each other's way.

use std::{collections::VecDeque, io, sync::Arc};

use async_trait::async_trait;
use countersign_core::Rng as _;
use countersign_eventlog::memory::MemoryLog;
use countersign_eventsourcing::{
    AppendError, Appended, EventLog, EventStream, ExpectedRevision, Filter, FollowStream, LogId,
    NewEvent, Position, ReadError, Revision, Source, StreamId,
};
use countersign_testkit::SeededRandom;
use futures_util::{StreamExt as _, stream};
use parking_lot::Mutex;

use crate::operation::Fault;

/// The log that replicas share. It does not say how long its streams are: others write to it too.
pub(crate) struct FaultyLog {
    /// The truth, for whoever judges.
    pub(crate) truth: Arc<MemoryLog>,
    waits: SeededRandom,
    weather: Mutex<Weather>,
}

/// What will go wrong, and what has.
#[derive(Default)]
struct Weather {
    appends: VecDeque<AppendFault>,
    /// After how many events the next reads break off; none for one that is refused.
    reads: VecDeque<Option<usize>>,
    follows: VecDeque<usize>,
    away: u8,
    late: Vec<Late>,
    struck: usize,
}

enum AppendFault {
    AnswerLost,
    Lost,
    Late(u8),
    Refused,
}

/// An append that everybody has given up.
struct Late {
    calls_left: u8,
    stream: StreamId,
    expected: ExpectedRevision,
    events: Vec<NewEvent>,
}

impl FaultyLog {
    pub(crate) fn new(seed: u64) -> Self {
        Self { truth: Arc::default(), waits: SeededRandom::new(seed), weather: Mutex::default() }
    }

    /// Lets something go wrong.
    pub(crate) fn will(&self, fault: Fault) {
        let mut weather = self.weather.lock();
        match fault {
            Fault::AnswerLost => weather.appends.push_back(AppendFault::AnswerLost),
            Fault::AppendLost => weather.appends.push_back(AppendFault::Lost),
            Fault::AppendLate(calls) => weather.appends.push_back(AppendFault::Late(calls)),
            Fault::AppendRefused => weather.appends.push_back(AppendFault::Refused),
            Fault::ReadRefused => weather.reads.push_back(None),
            Fault::ReadBroken(after) => weather.reads.push_back(Some(after.into())),
            Fault::Away(calls) => weather.away = calls,
            Fault::FollowBroken(after) => weather.follows.push_back(after.into()),
        }
    }

    /// Returns how often something went wrong.
    pub(crate) fn struck(&self) -> usize {
        self.weather.lock().struck
    }

    /// Returns whether an append is still under way that everybody has given up.
    pub(crate) fn owes(&self) -> bool {
        !self.weather.lock().late.is_empty()
    }

    /// Lets nothing more go wrong, once what is late has come.
    pub(crate) async fn heal(&self) {
        let weather = std::mem::take(&mut *self.weather.lock());
        for late in weather.late {
            self.arrive(late).await;
        }
    }

    /// Lets a call go through, if the log is not away.
    async fn pass(&self) -> Result<(), Source> {
        self.wait().await;
        let (arriving, away) = {
            let mut weather = self.weather.lock();
            for late in &mut weather.late {
                late.calls_left = late.calls_left.saturating_sub(1);
            }
            let arriving: Vec<_> =
                weather.late.extract_if(.., |late| late.calls_left == 0).collect();
            let away = weather.away > 0;
            weather.away = weather.away.saturating_sub(1);
            weather.struck += usize::from(away);
            (arriving, away)
        };
        for late in arriving {
            self.arrive(late).await;
        }
        if away { Err(gone("the log is away")) } else { Ok(()) }
    }

    async fn arrive(&self, late: Late) {
        // Whether it is stored or comes too late, nobody waits for the answer.
        drop(self.truth.append(&late.stream, late.expected, &late.events).await);
    }

    async fn wait(&self) {
        let mut drawn = [0];
        self.waits.fill(&mut drawn);
        for _ in 0..drawn[0] % 4 {
            tokio::task::yield_now().await;
        }
    }

    /// Takes what shall go wrong next from a queue.
    fn strike<T>(&self, queue: impl FnOnce(&mut Weather) -> &mut VecDeque<T>) -> Option<T> {
        let mut weather = self.weather.lock();
        let fault = queue(&mut weather).pop_front();
        weather.struck += usize::from(fault.is_some());
        fault
    }
}

fn gone(what: &str) -> Source {
    Arc::new(io::Error::other(what.to_owned()))
}

fn broken<T: Send + 'static>(
    items: stream::BoxStream<'static, Result<T, ReadError>>,
    after: usize,
) -> stream::BoxStream<'static, Result<T, ReadError>> {
    let end = Err(ReadError::Unavailable(gone("the stream broke")));
    items.take(after).chain(stream::iter([end])).boxed()
}

#[async_trait]
impl EventLog for FaultyLog {
    fn id(&self) -> LogId {
        self.truth.id()
    }

    async fn append(
        &self,
        stream: &StreamId,
        expected: ExpectedRevision,
        events: &[NewEvent],
    ) -> Result<Appended, AppendError> {
        self.pass().await.map_err(AppendError::Unavailable)?;
        let unknown = || AppendError::Unknown(gone("no answer"));
        match self.strike(|weather| &mut weather.appends) {
            None => {
                let appended = self.truth.append(stream, expected, events).await;
                self.wait().await;
                appended
            }
            Some(AppendFault::AnswerLost) => {
                self.truth.append(stream, expected, events).await?;
                self.wait().await;
                Err(unknown())
            }
            Some(AppendFault::Lost) => Err(unknown()),
            Some(AppendFault::Late(calls_left)) => {
                let (stream, events) = (stream.clone(), events.to_vec());
                self.weather.lock().late.push(Late { calls_left, stream, expected, events });
                Err(unknown())
            }
            Some(AppendFault::Refused) => Err(AppendError::Unavailable(gone("refused"))),
        }
    }

    async fn read(&self, stream: &StreamId, from: Revision) -> Result<EventStream, ReadError> {
        self.pass().await.map_err(ReadError::Unavailable)?;
        let fault = self.strike(|weather| &mut weather.reads);
        let events = self.truth.read(stream, from).await?;
        self.wait().await;
        match fault {
            None => Ok(events),
            Some(None) => Err(ReadError::Unavailable(gone("refused"))),
            Some(Some(after)) => Ok(broken(events, after)),
        }
    }

    async fn follow(
        &self,
        filter: &Filter,
        after: Option<Position>,
    ) -> Result<FollowStream, ReadError> {
        self.pass().await.map_err(ReadError::Unavailable)?;
        let items = self.truth.follow(filter, after).await?;
        let fault = self.strike(|weather| &mut weather.follows);
        Ok(match fault {
            None => items,
            Some(after) => broken(items, after),
        })
    }

    async fn head(&self) -> Result<Option<Position>, ReadError> {
        self.pass().await.map_err(ReadError::Unavailable)?;
        self.truth.head().await
    }
}
