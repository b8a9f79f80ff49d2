//! The engine for many processes on KurrentDB, which was called EventStoreDB before: one node or a cluster.
//!
//! ```text
//! append ── a session ── "if the stream's last revision is n" ── leader ── its followers ── answer
//! read   ── the stream from a revision on, from the leader
//! follow ── a subscription to $all from a position on, filtered by the server
//! ```
//!
//! Streams, revisions, event types and event ids are KurrentDB's own, the payload is the event's data, and what else is
//! known stands as JSON in its metadata (`stored.rs`): KurrentDB's own pages and projections make sense of a log, by
//! category and by correlation. A position is the commit position. Which log it is, is said by an event of its own
//! (`identity.rs`).
//!
//! The server decides every append, so any number of processes may append. It forgets which event ids it has seen, so
//! whether a refused append is a repeat is seen by reading back. Nothing waits for ever: an append answers within about
//! four seconds, and a read goes on or fails within two.
//!
//! What it asks of the server: KurrentDB or EventStoreDB 23.10 or newer, which tell followers when they have caught up;
//! `MaxAppendSize` of at least 8 MiB (and `MaxAppendEventSize`, where there is one), or large appends are refused as too
//! large; a user who may read `$all` and append. Streams must be neither deleted nor truncated: what is missing is damage.
//!
//! What to know of the client crate: it sets no `TCP_NODELAY`, and a call takes it two small packets, the second of which
//! waits until the server's system has acknowledged the first. On Linux that is about 44 ms for a call that is alone on its
//! connection. Appends are spared it by sessions (`sessions.rs`). Reads are spared it where the server acknowledges at once, as
//! with `ip route change ... quickack 1` on its route to us, which makes 1,200 sequential read-and-appends a second out of
//! 23. And once the client is connected, it stays with its node whatever happens, and once connecting has failed it is
//! dead, so it is replaced (`connection.rs`).

mod append;
mod connection;
mod error;
mod filter;
mod follow;
mod identity;
mod read;
mod sessions;
mod settings;
mod stored;

use std::fmt;

use async_trait::async_trait;
use countersign_eventsourcing::{
    AppendError, Appended, EventLog, EventStream, ExpectedRevision, Filter, FollowStream, LogId,
    NewEvent, Position, ReadError, Revision, StreamId,
};

use self::connection::Connection;
pub use self::error::OpenError;

/// A log on KurrentDB. Any number of them, in any number of processes, may be open on the same server.
pub struct KurrentDbLog {
    id: LogId,
    connection: Connection,
}

impl KurrentDbLog {
    /// Opens the log at `connection_string`, such as `kurrentdb://user:password@a:2113,b:2113,c:2113?tls=true`, and gives
    /// it a name if it has none yet. One server holds one log.
    ///
    /// # Errors
    /// Says that the string cannot be used, or that the server cannot be reached, is too old, or says something else under
    /// the log's name.
    pub async fn open(connection_string: &str) -> Result<Self, OpenError> {
        let connection = Connection::new(settings::parse(connection_string)?);
        let id = identity::find_or_make(&connection).await?;
        Ok(Self { id, connection })
    }
}

#[async_trait]
impl EventLog for KurrentDbLog {
    fn id(&self) -> LogId {
        self.id
    }

    async fn append(
        &self,
        stream: &StreamId,
        expected: ExpectedRevision,
        events: &[NewEvent],
    ) -> Result<Appended, AppendError> {
        append::append(&self.connection, stream, expected, events).await
    }

    async fn read(&self, stream: &StreamId, from: Revision) -> Result<EventStream, ReadError> {
        read::read(&self.connection, stream, from).await
    }

    async fn follow(
        &self,
        filter: &Filter,
        after: Option<Position>,
    ) -> Result<FollowStream, ReadError> {
        follow::follow(&self.connection, filter, after).await
    }

    async fn head(&self) -> Result<Option<Position>, ReadError> {
        read::head(&self.connection).await
    }
}

impl fmt::Debug for KurrentDbLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KurrentDbLog").field("id", &self.id).finish_non_exhaustive()
    }
}
