//! Reading streams, and the end of the log.

use countersign_eventsourcing::{
    Appended, EventStream, ExpectedRevision, Filter, Position, ReadError, RecordedEvent, Revision,
    StreamId,
};
use eventstore::{
    ReadAllOptions, ReadStream, ReadStreamOptions, ResolvedEvent, StreamPosition,
    SubscriptionFilter,
};
use futures_util::{StreamExt as _, future::try_join, stream};
use uuid::Uuid;

use super::{
    connection::{Connection, READ_TIMEOUT, Reporter},
    error::{corrupt, unavailable},
    filter, stored,
};

/// Greatest revision that a server knows; it counts with signed numbers.
const MAX_REVISION: u64 = i64::MAX.cast_unsigned();

/// A read that is under way.
pub(super) struct Reading {
    reporter: Reporter,
    events: ReadStream,
    place: String,
    begun: bool,
}

impl Reading {
    /// Begins to read the stream called `name`.
    pub(super) async fn stream(
        connection: &Connection,
        name: &str,
        options: ReadStreamOptions,
    ) -> Result<Self, ReadError> {
        let options = options.requires_leader(true);
        let reporter = connection.link().await.map_err(|away| ReadError::Unavailable(away.0))?;
        let client = &reporter.link().client;
        let events = reporter.bounded(READ_TIMEOUT, client.read_stream(name, &options)).await;
        // Whatever it is that is not found, it is not the stream: one without events is said in the answer's first item.
        let events = events.map_err(unavailable)?;
        Ok(Self { reporter, events, place: name.to_owned(), begun: false })
    }

    async fn all(connection: &Connection, options: ReadAllOptions) -> Result<Self, ReadError> {
        let options = options.requires_leader(true);
        let reporter = connection.link().await.map_err(|away| ReadError::Unavailable(away.0))?;
        let client = &reporter.link().client;
        let events = reporter.bounded(READ_TIMEOUT, client.read_all(&options)).await;
        let events = events.map_err(unavailable)?;
        Ok(Self { reporter, events, place: "$all".to_owned(), begun: false })
    }

    /// Returns the next event; `None` at the end, and if there is no stream.
    pub(super) async fn next(&mut self) -> Result<Option<eventstore::RecordedEvent>, ReadError> {
        use eventstore::Error as E;
        loop {
            // What comes is an answer, even if it says that nothing is there.
            let answer = tokio::time::timeout(READ_TIMEOUT, self.events.next()).await;
            let next: Option<ResolvedEvent> = match answer {
                Ok(Ok(next)) => next,
                Ok(Err(E::ResourceNotFound)) if !self.begun => None,
                Ok(Err(E::ResourceDeleted)) => {
                    let what = "the stream was deleted, and streams of a log must not be";
                    return Err(corrupt(&self.place, what).into());
                }
                Ok(Err(error)) => {
                    self.reporter.failed_with(&error);
                    return Err(unavailable(error));
                }
                Err(_) => {
                    let slow = self.reporter.too_slow(READ_TIMEOUT);
                    return Err(unavailable(slow));
                }
            };
            self.begun = true;
            match next {
                None => return Ok(None),
                // Links are not resolved; one whose target is gone has no event.
                Some(resolved) if resolved.event.is_none() => {}
                Some(resolved) => return Ok(resolved.event),
            }
        }
    }

    /// Returns all events that are left.
    async fn rest(mut self) -> Result<Vec<eventstore::RecordedEvent>, ReadError> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await? {
            events.push(event);
        }
        Ok(events)
    }
}

/// Reads `stream` from `from` on.
pub(super) async fn read(
    connection: &Connection,
    stream: &StreamId,
    from: Revision,
) -> Result<EventStream, ReadError> {
    if from.0 > MAX_REVISION {
        return Ok(stream::empty().boxed());
    }
    let options = ReadStreamOptions::default().position(StreamPosition::Position(from.0));
    let reading = Reading::stream(connection, stream.as_str(), options).await?;
    let state = (reading, stream.clone(), from, false);
    let events = stream::unfold(state, async |(mut reading, stream, wanted, failed)| {
        if failed {
            return None;
        }
        let item = match reading.next().await {
            Ok(None) => return None,
            Ok(Some(event)) => in_place(&stream, wanted, &event),
            Err(error) => Err(error),
        };
        let failed = item.is_err();
        Some((item, (reading, stream, wanted.next(), failed)))
    });
    Ok(events.boxed())
}

/// Takes an event of `stream` that should stand at `wanted`.
fn in_place(
    stream: &StreamId,
    wanted: Revision,
    event: &eventstore::RecordedEvent,
) -> Result<RecordedEvent, ReadError> {
    let found = event.revision;
    if found != wanted.0 {
        let what = format!("the event at revision {found} follows; streams must not be truncated");
        return Err(corrupt(&format!("{stream} revision {wanted}"), what).into());
    }
    stored::incoming(stream, event)
        .map_err(|what| corrupt(&format!("{stream} revision {wanted}"), what).into())
}

/// What stands where an append should have put its events.
#[derive(Debug)]
pub(super) enum Found {
    /// Exactly its events.
    Repeat(Appended),
    /// Nothing; the stream was where it was expected to be.
    AsExpected,
    /// The stream is somewhere else, at this revision.
    Elsewhere(Option<Revision>),
}

/// Looks whether exactly the events `ids` stand at the expected place. Both reads are made at once, and the stream may grow
/// between them, perhaps by these very events: only what stands at the place can say that they do not.
pub(super) async fn look(
    connection: &Connection,
    stream: &StreamId,
    expected: ExpectedRevision,
    ids: impl ExactSizeIterator<Item = Uuid>,
) -> Result<Found, ReadError> {
    let ids: Vec<_> = ids.collect();
    let first = expected.first();
    let there = async {
        if ids.is_empty() || first.0 > MAX_REVISION {
            return Ok(Vec::new());
        }
        let options = ReadStreamOptions::default()
            .position(StreamPosition::Position(first.0))
            .max_count(ids.len());
        Reading::stream(connection, stream.as_str(), options).await?.rest().await
    };
    let last = async {
        let options = ReadStreamOptions::default().position(StreamPosition::End).max_count(1);
        Reading::stream(connection, stream.as_str(), options).await?.next().await
    };
    let (there, last) = try_join(there, last).await?;
    let actual = last.map(|event| Revision(event.revision));
    let next = actual.map_or(Revision::START, Revision::next);
    if let Some(last) = there.last() {
        let same = there.iter().map(|event| event.id).eq(ids);
        let (last_revision, position) = (Revision(last.revision), Position(last.position.commit));
        return Ok(if same {
            Found::Repeat(Appended { last_revision, position })
        } else {
            Found::Elsewhere(actual.max(Some(last_revision)))
        });
    }
    Ok(if ids.is_empty() || next < first { Found::Elsewhere(actual) } else { Found::AsExpected })
}

/// Returns the position of the last event of the log.
pub(super) async fn head(connection: &Connection) -> Result<Option<Position>, ReadError> {
    let ours = SubscriptionFilter::on_stream_name().regex(filter::pattern(&Filter::default()));
    let options = ReadAllOptions::default().position(StreamPosition::End).max_count(1).filter(ours);
    let last = Reading::all(connection, options).await?.next().await?;
    Ok(last.map(|event| Position(event.position.commit)))
}

/// Returns the position of the last event of the server, whoever wrote it.
pub(super) async fn end_of_all(
    connection: &Connection,
) -> Result<Option<eventstore::Position>, ReadError> {
    let options = ReadAllOptions::default().position(StreamPosition::End).max_count(1);
    Ok(Reading::all(connection, options).await?.next().await?.map(|event| event.position))
}
