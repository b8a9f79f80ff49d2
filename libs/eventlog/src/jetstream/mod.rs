//! The engine for many processes: the log is a stream of NATS JetStream, kept on one server or on several.
//!
//! ```text
//! append ── one message ── "if this subject's last is number n" ── leader ── its followers ── answer
//! read   ── the subject's last message, from the leader ── older ones in batches, from any server
//! follow ── a consumer of the wanted subjects, watched for gaps, made anew when it is lost
//! ```
//!
//! There is one JetStream stream and not several among which the subjects would be spread: only so do all events have one
//! order, by which every follower and every position goes. Its sequence numbers appends; a position is the append's
//! sequence and the event's index in it.
//!
//! The server decides every append, by the sequence that the subject's last message is expected to have, so any number of
//! processes may append. What a process remembers only spares it the question. An answered append is durable if the server
//! is set to `sync_interval: always`, on as many servers as keep the stream a majority of.
//!
//! Nothing waits for ever: an append answers within two and a half seconds, and a read goes on or fails within two. While servers
//! elect a new leader the log is unavailable, not empty.

mod append;
mod consumer;
mod follow;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod known;
mod message;
mod open;
mod read;
mod server;
mod subject;

use async_trait::async_trait;
use countersign_eventsourcing::{
    AppendError, Appended, EventLog, EventStream, ExpectedRevision, Filter, FollowStream, LogId,
    NewEvent, Position, ReadError, Revision, StreamId,
};
use countersign_nats::Nats;
use tokio::time::Instant;

pub use self::open::OpenError;
use self::{follow::Head, known::KnownStreams, server::Server};

/// What an open log consists of.
#[derive(Debug)]
struct Log {
    id: LogId,
    server: Server,
    known: KnownStreams,
    /// Largest message that the stream takes.
    max_message_bytes: usize,
}

/// A log on JetStream. Any number of them, in any number of processes, may be open on the same stream.
#[derive(Debug)]
pub struct JetStreamLog(Log);

impl JetStreamLog {
    /// Opens the log of the installation that `nats` is for, and makes its stream if there is none.
    ///
    /// # Errors
    /// Says that JetStream cannot be reached, does not make the stream, or has another under its name.
    pub async fn create(nats: Nats) -> Result<Self, OpenError> {
        open::create(nats).await.map(Self)
    }

    /// Opens the log of the installation that `nats` is for.
    ///
    /// # Errors
    /// Says that JetStream cannot be reached, or has no such stream, or one that is not a log.
    pub async fn open(nats: Nats) -> Result<Self, OpenError> {
        open::open(nats).await.map(Self)
    }
}

#[async_trait]
impl EventLog for JetStreamLog {
    fn id(&self) -> LogId {
        self.0.id
    }

    async fn append(
        &self,
        stream: &StreamId,
        expected: ExpectedRevision,
        events: &[NewEvent],
    ) -> Result<Appended, AppendError> {
        append::append(&self.0, stream, expected, events).await
    }

    async fn read(&self, stream: &StreamId, from: Revision) -> Result<EventStream, ReadError> {
        read::read(&self.0, stream, from, Instant::now() + read::LONGEST).await
    }

    async fn follow(
        &self,
        filter: &Filter,
        after: Option<Position>,
    ) -> Result<FollowStream, ReadError> {
        follow::follow(&self.0, filter, after).await
    }

    async fn head(&self) -> Result<Option<Position>, ReadError> {
        let deadline = Instant::now() + read::LONGEST;
        self.0.server.ready(deadline).await?;
        Ok(Head::ask(&self.0.server, deadline).await?.map(|head| head.position))
    }
}
