//! How far the bus has come: read at its end, where the messages themselves say it.

use std::collections::HashSet;

use async_nats::jetstream::{
    message::StreamMessage,
    stream::{RawMessageErrorKind, Stream},
};
use countersign_eventsourcing::{Position, ReadError, RecordedEvent};
use countersign_nats::{NatsAway, REQUEST_TIMEOUT};
use futures_util::TryStreamExt as _;
use uuid::Uuid;

use super::{
    Publisher,
    kept::{self, Kept},
};
use crate::{BusError, NatsBus, message::rebuild};

/// The bus's end.
#[derive(Debug)]
pub(super) struct End {
    /// Its last message, or the last that it had.
    pub(super) sequence: u64,
    /// Everything in the log up to here is on the bus, or was.
    pub(super) position: Option<Position>,
    /// Events that were published from another log: this one may hold them too, as a copy does.
    pub(super) foreign: HashSet<Uuid>,
    /// What is kept beside the bus.
    pub(super) kept: Kept,
}

impl Publisher {
    /// Reads the bus's end: from the last message back to one that this log vouches for, or to where the kept state
    /// takes over. In calm that is the last message.
    pub(super) async fn end(&self) -> Result<End, BusError> {
        self.bus.nats.ready(REQUEST_TIMEOUT).await.map_err(BusError::unavailable)?;
        let stream = self.bus.stream(&self.bus.names.bus()).await?;
        let kept = kept::load(&self.bus, self.log.id()).await?;
        let state = stream.get_info().await.map_err(BusError::unavailable)?.state;
        let sequence = state.last_sequence;
        // A bus that has come less far than was kept is another one, or has lost its end: then only what stands on it counts.
        let counts = kept.sequence <= sequence;
        let known = kept.position.filter(|_| counts).map(Position);
        let first = state.first_sequence.max(1);
        let floor = if counts && kept.version > 0 { first.max(kept.sequence + 1) } else { first };
        let mut end = End { sequence, position: known, foreign: HashSet::new(), kept };
        for at in (floor..=sequence).rev() {
            let Some(message) = get(&self.bus, &stream, at).await? else { continue };
            match self.vouched(&message).await? {
                Origin::Here(position) => {
                    end.position = end.position.max(Some(position));
                    break;
                }
                Origin::Elsewhere(id) => {
                    end.foreign.insert(id);
                }
                Origin::Unknown => {}
            }
        }
        if let Some(joined) = end.kept.joined.filter(|_| counts) {
            self.read_foreign(&stream, first..=joined.min(sequence), &mut end.foreign).await?;
        }
        Ok(end)
    }

    /// Makes sure that message `sequence` is the event at `position`, as JetStream says: whoever else may publish could
    /// use up the event's id on something else, until JetStream has forgotten it.
    pub(super) async fn had(&self, position: Position, sequence: u64) -> Result<(), BusError> {
        let stream = self.bus.stream(&self.bus.names.bus()).await?;
        let Some(message) = get(&self.bus, &stream, sequence).await? else { return Ok(()) };
        match self.vouched(&message).await? {
            Origin::Here(at) if at == position => Ok(()),
            Origin::Elsewhere(_) => Ok(()),
            Origin::Here(_) | Origin::Unknown => {
                let what = format!("message {sequence} has the id of the event at {position}");
                Err(BusError::unavailable(NatsAway::new(what)))
            }
        }
    }

    /// Gathers the events that were published before this log was.
    async fn read_foreign(
        &self,
        stream: &Stream<()>,
        sequences: std::ops::RangeInclusive<u64>,
        foreign: &mut HashSet<Uuid>,
    ) -> Result<(), BusError> {
        for at in sequences {
            let Some(message) = get(&self.bus, stream, at).await? else { continue };
            if let Origin::Elsewhere(id) = self.origin(&message).0 {
                foreign.insert(id);
            }
        }
        Ok(())
    }

    /// Says where a message comes from, and asks the log about what claims to be of it: whoever else may publish could
    /// claim any place.
    async fn vouched(&self, message: &StreamMessage) -> Result<Origin, BusError> {
        let (origin, Some(event)) = self.origin(message) else {
            return Ok(Origin::Unknown);
        };
        if matches!(origin, Origin::Here(_)) && !self.holds(&event).await? {
            return Ok(Origin::Unknown);
        }
        Ok(origin)
    }

    fn origin(&self, message: &StreamMessage) -> (Origin, Option<RecordedEvent>) {
        let Ok((log, event)) = rebuild(Some(&message.headers), &message.payload) else {
            return (Origin::Unknown, None);
        };
        let subject = self.bus.names.event(&event.stream, &event.event.event_type);
        if *subject != *message.subject {
            return (Origin::Unknown, None);
        }
        let origin = if log == self.log.id() {
            Origin::Here(event.position)
        } else {
            Origin::Elsewhere(event.event.id)
        };
        (origin, Some(event))
    }

    async fn holds(&self, event: &RecordedEvent) -> Result<bool, BusError> {
        let read = async {
            let mut events = self.log.read(&event.stream, event.revision).await?;
            events.try_next().await
        };
        match read.await {
            Ok(held) => Ok(held.is_some_and(|held| {
                held.event.id == event.event.id && held.position == event.position
            })),
            // Damaged since it was published: nobody but the log can have named it.
            Err(ReadError::Corrupt(_)) => Ok(true),
            Err(error @ ReadError::Unavailable(_)) => Err(error.into()),
        }
    }
}

/// Where a message on the bus comes from.
enum Origin {
    /// From this log.
    Here(Position),
    /// From another log.
    Elsewhere(Uuid),
    /// It is not an event.
    Unknown,
}

async fn get(
    bus: &NatsBus,
    stream: &Stream<()>,
    sequence: u64,
) -> Result<Option<StreamMessage>, BusError> {
    match stream.get_raw_message(sequence).await {
        Ok(message) => Ok(Some(message)),
        Err(error) => match error.kind() {
            RawMessageErrorKind::NoMessageFound => Ok(None),
            // Either NATS is away, or the message has headers that are none: then it can be had without.
            RawMessageErrorKind::Other if bare(bus, sequence).await => Ok(None),
            RawMessageErrorKind::InvalidSubject
            | RawMessageErrorKind::JetStream(_)
            | RawMessageErrorKind::Other => Err(BusError::unavailable(error)),
        },
    }
}

/// Returns whether JetStream has the message, whatever the client makes of its headers.
async fn bare(bus: &NatsBus, sequence: u64) -> bool {
    let subject = format!("STREAM.MSG.GET.{}", bus.names.bus());
    let body = serde_json::json!({ "seq": sequence });
    let answer: Result<serde_json::Value, _> = bus.nats.jetstream().request(subject, &body).await;
    answer.is_ok_and(|answer| answer.get("message").is_some())
}
