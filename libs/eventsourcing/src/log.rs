//! The event-log port: bytes and metadata, no domain types.

use std::{error::Error, fmt, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use countersign_core::TenantId;
use futures_util::stream::BoxStream;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{NewEvent, RecordedEvent, Revision, StreamId};

/// Names one log; positions of different logs do not compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LogId(pub Uuid);

/// Place of an event in one log. Later events have greater positions; what lies between two is the engine's affair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Position(pub u64);

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What an append demands of the stream. There is no "any": whoever has not read must not write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpectedRevision {
    /// The stream has no events.
    NoStream,
    /// The stream's last event is this one.
    Exact(Revision),
}

impl ExpectedRevision {
    /// Returns the place that the first appended event takes.
    #[must_use]
    pub const fn first(self) -> Revision {
        match self {
            Self::NoStream => Revision::START,
            Self::Exact(last) => last.next(),
        }
    }
}

/// What an append did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Place in the stream of the last event appended.
    pub last_revision: Revision,
    /// Place in the log of the last event appended.
    pub position: Position,
}

/// The error underneath, for the operator's log.
pub type Source = Arc<dyn Error + Send + Sync>;

/// Damage that was found where the log is read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the log is damaged at {place}: {what}")]
pub struct Corruption {
    /// Where, for example a stream and revision or a file.
    pub place: String,
    /// What is wrong.
    pub what: String,
}

/// Why an append did not answer with success.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AppendError {
    /// The stream is not where it was expected to be. Nothing was stored.
    #[error("the stream is at another revision")]
    Conflict {
        /// Its last revision; `None` if it has no events.
        actual: Option<Revision>,
    },
    /// Nothing was stored, and nothing can be for now. Try again later.
    #[error("the event log is unavailable")]
    Unavailable(#[source] Source),
    /// It may have been stored: read the stream back and look for the event ids.
    #[error("the event log did not say whether it stored the events")]
    Unknown(#[source] Source),
    /// Nothing was stored: the events are larger than the engine takes at once.
    #[error("the events have {actual} bytes, and at most {limit} can be appended at once")]
    TooLarge {
        /// Greatest size in bytes.
        limit: usize,
        /// Size that was given.
        actual: usize,
    },
    /// Nothing was stored: what is stored already is damaged.
    #[error(transparent)]
    Corrupt(Corruption),
}

/// Why a read did not go on.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ReadError {
    /// Cannot be read for now. Try again later.
    #[error("the event log is unavailable")]
    Unavailable(#[source] Source),
    /// What is stored is damaged.
    #[error(transparent)]
    Corrupt(#[from] Corruption),
}

/// Which events a follower wants. Everything that is empty or absent matches everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only these categories of streams.
    pub categories: Vec<String>,
    /// Only this tenant.
    pub tenant: Option<TenantId>,
    /// Only these streams.
    pub streams: Vec<StreamId>,
    /// Only these event types.
    pub event_types: Vec<String>,
}

impl Filter {
    /// Wants the events of one category.
    #[must_use]
    pub fn category(category: &str) -> Self {
        Self { categories: vec![category.to_owned()], ..Self::default() }
    }

    /// Returns whether an event of `event_type` in `stream` is wanted.
    #[must_use]
    pub fn matches(&self, stream: &StreamId, event_type: &str) -> bool {
        (self.categories.is_empty() || self.categories.iter().any(|c| c == stream.category()))
            && self.tenant.as_ref().is_none_or(|tenant| tenant.as_str() == stream.tenant())
            && (self.streams.is_empty() || self.streams.contains(stream))
            && (self.event_types.is_empty() || self.event_types.iter().any(|t| t == event_type))
    }
}

/// Something in the log that is not an event, or not any more: of an unknown format, with a wrong checksum, or put there by
/// somebody else. Engines that others can write to hand it over instead of stopping for ever at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Poison {
    /// Where it stands among the events.
    pub position: Position,
    /// Where that is in the engine's own words, for example a subject and its sequence.
    pub place: String,
    /// What is wrong with it.
    pub what: String,
    /// Its bytes, as they are stored.
    pub bytes: Bytes,
}

/// What a follower is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FollowItem {
    /// An event that the filter wants.
    Event(RecordedEvent),
    /// Something that cannot be read, whatever the filter. It will not get better: park it, count it, go on.
    Poison(Poison),
    /// Everything that was in the log when following began has been told; said once.
    CaughtUp(Option<Position>),
    /// Everything up to here that the filter wants has been told; said now and then where much is filtered out.
    Checkpoint(Position),
}

/// Events of one stream in order; ends at the stream's end.
pub type EventStream = BoxStream<'static, Result<RecordedEvent, ReadError>>;

/// Events of the log in order; never ends by itself, except with an error.
pub type FollowStream = BoxStream<'static, Result<FollowItem, ReadError>>;

/// An append-only log of events in streams. The contract suite gives this trait its meaning; every engine passes it.
#[async_trait]
pub trait EventLog: Send + Sync {
    /// Names this log.
    fn id(&self) -> LogId;

    /// Appends all of `events` to `stream`, or none; they are durable before this answers. If exactly these event ids
    /// already stand at the expected place, answers as it did the first time.
    async fn append(
        &self,
        stream: &StreamId,
        expected: ExpectedRevision,
        events: &[NewEvent],
    ) -> Result<Appended, AppendError>;

    /// Reads `stream` from `from` on. A stream without events is empty, not an error.
    async fn read(&self, stream: &StreamId, from: Revision) -> Result<EventStream, ReadError>;

    /// Tells every wanted event after `after`, then goes on as new ones are appended.
    async fn follow(
        &self,
        filter: &Filter,
        after: Option<Position>,
    ) -> Result<FollowStream, ReadError>;

    /// Returns how many events `stream` has, if this log knows at once and nobody else can append: spares whoever has
    /// folded them all the read that would find nothing. By default it does not know.
    fn known_length(&self, stream: &StreamId) -> Option<u64> {
        let _ = stream;
        None
    }

    /// Returns the position of the last event; `None` if there is none.
    async fn head(&self) -> Result<Option<Position>, ReadError>;
}
