//! Appending. The expected revision is always exact, so the same append may be sent again whenever it is not known what
//! became of it: it is stored once or not at all. What the server answers with a conflict is looked at, whether it is a
//! repeat.

use std::{sync::Arc, time::Duration};

use countersign_eventsourcing::{
    AppendError, Appended, ExpectedRevision, NewEvent, Position, ReadError, Revision, Source,
    StreamId,
};
use eventstore::{EventData, StreamState};
use tokio::time::Instant;

use super::{
    connection::Connection,
    error::{Failure, corrupt},
    read::{self, Found},
    sessions, stored,
};
use crate::MAX_APPEND_BYTES;

/// How long an append may take in all.
const APPEND_TIMEOUT: Duration = Duration::from_secs(4);

/// How often one is sent.
const ATTEMPTS: u32 = 3;

/// How long it is waited before it is sent again, times the number of attempts.
const PAUSE: Duration = Duration::from_millis(20);

pub(super) async fn append(
    connection: &Connection,
    stream: &StreamId,
    expected: ExpectedRevision,
    events: &[NewEvent],
) -> Result<Appended, AppendError> {
    let first = expected.first();
    let (outgoing, size) = stored::outgoing(stream, first, events);
    if size > MAX_APPEND_BYTES {
        return Err(AppendError::TooLarge { limit: MAX_APPEND_BYTES, actual: size });
    }
    let attempt = Attempt { connection, stream, expected, events };
    let deadline = Instant::now() + APPEND_TIMEOUT;
    // Why it may be stored although nobody said so, and why it is not.
    let (mut unknown, mut unavailable): (Option<Source>, Option<Source>) = (None, None);
    for number in 1..=ATTEMPTS {
        match attempt.send(outgoing.clone(), deadline).await {
            Ok(appended) => return Ok(appended),
            Err(Failure::Conflict) => {}
            Err(Failure::TooLarge) => {
                // The server does not say how much it takes.
                return Err(AppendError::TooLarge { limit: size.saturating_sub(1), actual: size });
            }
            Err(Failure::Deleted) => {
                let what = "the stream was deleted, and streams of a log must not be";
                return Err(AppendError::Corrupt(corrupt(stream, what)));
            }
            Err(Failure::Unavailable(source)) => unavailable = Some(source),
            Err(Failure::Unknown(source)) => unknown = Some(source),
        }
        match attempt.look(deadline).await {
            Ok(Found::Repeat(appended)) => return Ok(appended),
            Ok(Found::Elsewhere(actual)) => return Err(AppendError::Conflict { actual }),
            Ok(Found::AsExpected) => {}
            Err(error) => {
                return Err(match (error, unknown) {
                    (_, Some(source)) => AppendError::Unknown(source),
                    (ReadError::Unavailable(source), None) => AppendError::Unavailable(source),
                    (ReadError::Corrupt(corruption), None) => AppendError::Corrupt(corruption),
                });
            }
        }
        tokio::time::sleep(PAUSE * number).await;
    }
    Err(match (unknown, unavailable) {
        (Some(source), _) => AppendError::Unknown(source),
        (None, Some(source)) => AppendError::Unavailable(source),
        (None, None) => AppendError::Unavailable(Arc::new(Contradiction)),
    })
}

struct Attempt<'a> {
    connection: &'a Connection,
    stream: &'a StreamId,
    expected: ExpectedRevision,
    events: &'a [NewEvent],
}

impl Attempt<'_> {
    async fn send(&self, outgoing: Vec<EventData>, deadline: Instant) -> Result<Appended, Failure> {
        if self.events.is_empty() {
            return Err(Failure::Conflict);
        }
        let state = match self.expected {
            ExpectedRevision::NoStream => StreamState::NoStream,
            ExpectedRevision::Exact(revision) => StreamState::StreamRevision(revision.0),
        };
        let name = self.stream.as_str();
        let written = sessions::send(self.connection, name, state, outgoing, deadline).await?;
        let revision = written.current_revision().map(Revision);
        let position = written.current_position().filter(|position| position.commit < u64::MAX);
        match (revision, position) {
            (Some(last_revision), Some(position)) => {
                Ok(Appended { last_revision, position: Position(position.commit) })
            }
            // A repeat whose place the server does not look up.
            (None | Some(_), None | Some(_)) => Err(Failure::Conflict),
        }
    }

    /// Looks at what stands where the events should.
    async fn look(&self, deadline: Instant) -> Result<Found, ReadError> {
        let ids = self.events.iter().map(|event| event.id);
        let looking = read::look(self.connection, self.stream, self.expected, ids);
        tokio::time::timeout_at(deadline, looking)
            .await
            .unwrap_or_else(|elapsed| Err(ReadError::Unavailable(Arc::new(elapsed))))
    }
}

/// The server refuses an append to a stream that stands where it should.
#[derive(Debug, thiserror::Error)]
#[error(
    "KurrentDB answers that the stream is at another revision, and then shows it at the expected one"
)]
struct Contradiction;
