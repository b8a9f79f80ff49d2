//! Appending: one message, stored if its subject's last message is the one that was expected.

use std::time::Duration;

use async_nats::HeaderMap;
use bytes::Bytes;
use countersign_eventsourcing::{
    AppendError, Appended, Corruption, ExpectedRevision, NewEvent, ReadError, Revision, StreamId,
};
use futures_util::TryStreamExt as _;
use tokio::time::{Instant, sleep, timeout_at};

use super::{
    Log,
    known::Known,
    message::{self, position},
    read,
    server::{Published, ServerError},
};
use crate::MAX_APPEND_BYTES;

/// How long an append may take, whatever happens.
const LONGEST: Duration = Duration::from_millis(2_500);

/// How long to wait for another append to the stream that is on its way, at first and at last.
const PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(16);

/// Room for a message's headers within the server's limit.
const HEADER_BYTES: usize = 512;

/// Place in its stream of an append's last event. For people and tools: the message says so itself, under a checksum.
const REVISION_HEADER: &str = "Countersign-Revision";

/// How many events an append has. For people and tools.
const EVENTS_HEADER: &str = "Countersign-Events";

/// Where a stream stands.
enum Place {
    /// It is where it was expected: this is its last message's sequence, 0 being none.
    Expected(u64),
    /// The same append was stored before.
    Stored(Appended),
}

/// Why a stream's place is not known.
enum Unplaced {
    Refused(AppendError),
    Unanswered(ServerError),
}

impl From<ServerError> for Unplaced {
    fn from(error: ServerError) -> Self {
        Self::Unanswered(error)
    }
}

pub(super) async fn append(
    log: &Log,
    stream: &StreamId,
    expected: ExpectedRevision,
    events: &[NewEvent],
) -> Result<Appended, AppendError> {
    let append = Append {
        log,
        stream,
        subject: log.server.names.of(stream),
        expected,
        events,
        deadline: Instant::now() + LONGEST,
    };
    append.carry_out().await
}

struct Append<'a> {
    log: &'a Log,
    stream: &'a StreamId,
    subject: String,
    expected: ExpectedRevision,
    events: &'a [NewEvent],
    deadline: Instant,
}

impl Append<'_> {
    async fn carry_out(&self) -> Result<Appended, AppendError> {
        let server = &self.log.server;
        let unavailable = |error: ServerError| AppendError::Unavailable(error.source());
        server.ready(self.deadline).await.map_err(unavailable)?;
        let body = self.body()?;
        let mut known = self.known();
        let mut pause = PAUSE;
        loop {
            let last = match known {
                Some(last) => last,
                None => match self.look().await {
                    Ok(Place::Expected(last)) => last,
                    Ok(Place::Stored(appended)) => return Ok(appended),
                    Err(Unplaced::Refused(error)) => return Err(error),
                    Err(Unplaced::Unanswered(error)) => return Err(unavailable(error)),
                },
            };
            let headers = self.headers();
            match server.publish(&self.subject, &body, headers, last, self.deadline).await {
                Published::Stored(sequence) => return Ok(self.stored(sequence)),
                Published::Conflict => {
                    self.log.known.forget(self.stream);
                    known = None;
                }
                Published::Busy => {
                    known = Some(last);
                    sleep(pause).await;
                    pause = LONGEST_PAUSE.min(pause * 2);
                }
                Published::Refused(error) => return Err(unavailable(error)),
                Published::Unknown(error) => return Err(AppendError::Unknown(error.source())),
            }
            if Instant::now() >= self.deadline {
                return Err(unavailable(ServerError::Unanswered));
            }
        }
    }

    fn body(&self) -> Result<Bytes, AppendError> {
        let body = message::encode(self.stream, self.expected.first(), self.events);
        let limit = self.log.server.nats.client().max_payload().saturating_sub(HEADER_BYTES);
        let limit = limit.min(MAX_APPEND_BYTES).min(self.log.max_message_bytes);
        if body.len() > limit {
            return Err(AppendError::TooLarge { limit, actual: body.len() });
        }
        Ok(body)
    }

    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(REVISION_HEADER, self.last_revision().0.to_string());
        headers.insert(EVENTS_HEADER, self.events.len().to_string());
        headers
    }

    fn last_revision(&self) -> Revision {
        Revision(self.expected.first().0 + (self.events.len() as u64).saturating_sub(1))
    }

    /// Returns the last message's sequence, if the stream may well be where it is expected.
    fn known(&self) -> Option<u64> {
        if self.events.is_empty() {
            return None;
        }
        let known = self.log.known.get(self.stream);
        match (self.expected, known) {
            (ExpectedRevision::NoStream, None) => Some(0),
            (ExpectedRevision::Exact(last), Some(known)) if known.revision == last.0 => {
                Some(known.sequence)
            }
            (ExpectedRevision::NoStream | ExpectedRevision::Exact(_), _) => None,
        }
    }

    fn stored(&self, sequence: u64) -> Appended {
        let last_revision = self.last_revision();
        self.log.known.note(self.stream, Known { sequence, revision: last_revision.0 });
        let index = (self.events.len() as u64).saturating_sub(1);
        Appended { last_revision, position: position(sequence, index) }
    }

    /// Asks the leader where the stream stands.
    async fn look(&self) -> Result<Place, Unplaced> {
        let first = self.expected.first().0;
        let last = self.log.server.last(&self.subject, self.deadline).await?;
        let Some(last) = last else {
            if first == 0 && !self.events.is_empty() {
                return Ok(Place::Expected(0));
            }
            return Err(Unplaced::Refused(AppendError::Conflict { actual: None }));
        };
        let corrupt = |corruption: Corruption| Unplaced::Refused(AppendError::Corrupt(corruption));
        let append = read::message(&self.log.server, &last).map_err(corrupt)?;
        self.log.known.note(self.stream, Known { sequence: last.sequence, revision: append.last });
        if append.last.checked_add(1) == Some(first) && !self.events.is_empty() {
            return Ok(Place::Expected(last.sequence));
        }
        let actual = Some(Revision(append.last));
        let stored =
            if append.last >= self.last_revision().0 { self.first_time().await? } else { None };
        stored.map(Place::Stored).ok_or(Unplaced::Refused(AppendError::Conflict { actual }))
    }

    /// Finds what the same append did the first time.
    async fn first_time(&self) -> Result<Option<Appended>, Unplaced> {
        let unread = |error: ReadError| match error {
            ReadError::Unavailable(source) => Unplaced::Refused(AppendError::Unknown(source)),
            ReadError::Corrupt(corruption) => Unplaced::Refused(AppendError::Corrupt(corruption)),
        };
        let compared = async {
            let read = read::read(self.log, self.stream, self.expected.first(), self.deadline);
            let mut stored = read.await.map_err(unread)?;
            let mut appended = None;
            for event in self.events {
                let Some(found) = stored.try_next().await.map_err(unread)? else { return Ok(None) };
                if found.event.id != event.id {
                    return Ok(None);
                }
                let (last_revision, position) = (found.revision, found.position);
                appended = Some(Appended { last_revision, position });
            }
            Ok(appended)
        };
        timeout_at(self.deadline, compared).await.map_err(|_| {
            Unplaced::Refused(AppendError::Unknown(ServerError::Unanswered.source()))
        })?
    }
}
