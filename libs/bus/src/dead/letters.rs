//! What the operator does with dead letters.

use async_nats::{
    HeaderMap,
    jetstream::{
        message::{PublishMessage, StreamMessage},
        stream::RawMessageErrorKind,
    },
};
use bytes::Bytes;
use countersign_core::Timestamp;
use countersign_eventsourcing::{Position, Revision};

use super::{CUT, PLACE, REASON, SUBJECT};
use crate::{
    BusError, NatsBus, escape,
    message::{EVENT_TYPE, MESSAGE_ID, POSITION, REVISION, STREAM, kept},
    names::PUBLISHER,
};

/// Something that was parked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Names it.
    pub sequence: u64,
    /// The consumer that parked it, or `publisher` for what the log itself holds unreadable.
    pub parked_by: String,
    /// Why.
    pub reason: String,
    /// Where it stood, for example a stream and revision.
    pub place: String,
    /// When it was parked.
    pub parked_at: Timestamp,
    /// The subject it was published on; `None` if it was never on the bus.
    pub subject: Option<String>,
    /// The event's place in the log, as far as the message says.
    pub position: Option<Position>,
    /// The event's stream, as far as the message says.
    pub stream: Option<String>,
    /// The event's place in its stream, as far as the message says.
    pub revision: Option<Revision>,
    /// The event's type, as far as the message says.
    pub event_type: Option<String>,
    /// How many bytes were left out because NATS does not take that much at once.
    pub cut: u64,
    /// The payload of the event, or the bytes of what is not one.
    pub body: Bytes,
}

impl DeadLetter {
    /// Returns whether it was meant for a consumer, and can be given out to it again.
    #[must_use]
    pub fn can_be_requeued(&self) -> bool {
        self.parked_by != PUBLISHER && self.cut == 0
    }
}

/// What was parked by all consumers and the publisher.
#[derive(Clone, Debug)]
pub struct DeadLetters {
    bus: NatsBus,
}

impl DeadLetters {
    pub(crate) const fn new(bus: NatsBus) -> Self {
        Self { bus }
    }

    /// Returns at most `limit` letters, oldest first, beginning after the one named `after`; 0 for the oldest.
    ///
    /// # Errors
    /// Says that NATS cannot be reached.
    pub async fn list(&self, after: u64, limit: usize) -> Result<Vec<DeadLetter>, BusError> {
        let stream = self.bus.stream(&self.bus.names.dead()).await?;
        let subject = self.bus.names.parked(">");
        let mut letters = Vec::new();
        let mut next = after.saturating_add(1);
        while letters.len() < limit {
            let request = stream.raw_message_builder().sequence(next).next_by_subject(&subject);
            let found = request.send().await;
            let message = match found {
                Ok(message) => message,
                Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => break,
                Err(error) => return Err(BusError::unavailable(error)),
            };
            next = message.sequence.saturating_add(1);
            letters.push(self.read(message));
        }
        Ok(letters)
    }

    /// Gives the letter named `sequence` out to its consumer again, and forgets it. The consumer finds it behind the
    /// events that are on the bus already.
    ///
    /// # Errors
    /// Says that there is no such letter, that it was never an event, or that NATS cannot be reached.
    pub async fn requeue(&self, sequence: u64) -> Result<(), BusError> {
        let message = self.get(sequence).await?;
        let mut headers = kept(Some(&message.headers));
        let letter = self.read(message);
        if !letter.can_be_requeued() {
            return Err(BusError::NotForAConsumer(sequence));
        }
        // An id of its own: with the event's, JetStream would take it for a repeat.
        headers.insert(MESSAGE_ID, format!("retry-{sequence}"));
        let message = PublishMessage::build().headers(headers).payload(letter.body);
        let subject = self.bus.names.retry(&letter.parked_by);
        let sent = self.bus.nats.jetstream().send_publish(subject, message).await;
        sent.map_err(BusError::unavailable)?.await.map_err(BusError::unavailable)?;
        self.delete(sequence).await
    }

    /// Forgets the letter named `sequence`: nobody will deal with it.
    ///
    /// # Errors
    /// Says that there is no such letter, or that NATS cannot be reached.
    pub async fn drop_letter(&self, sequence: u64) -> Result<(), BusError> {
        self.get(sequence).await?;
        self.delete(sequence).await
    }

    /// Returns how many letters `by` has parked.
    pub(crate) async fn count(&self, by: &str) -> Result<u64, BusError> {
        let stream = self.bus.stream(&self.bus.names.dead()).await?;
        let subject = self.bus.names.parked(by);
        let info = stream.info_builder().subjects(&subject).fetch().await;
        let mut subjects = info.map_err(BusError::unavailable)?;
        let mut count = 0;
        while let Some(found) = futures_util::StreamExt::next(&mut subjects).await {
            count += found.map_err(BusError::unavailable)?.1 as u64;
        }
        Ok(count)
    }

    async fn get(&self, sequence: u64) -> Result<StreamMessage, BusError> {
        let stream = self.bus.stream(&self.bus.names.dead()).await?;
        stream.get_raw_message(sequence).await.map_err(|error| match error.kind() {
            RawMessageErrorKind::NoMessageFound => BusError::NoSuchLetter(sequence),
            RawMessageErrorKind::InvalidSubject
            | RawMessageErrorKind::JetStream(_)
            | RawMessageErrorKind::Other => BusError::unavailable(error),
        })
    }

    async fn delete(&self, sequence: u64) -> Result<(), BusError> {
        let stream = self.bus.stream(&self.bus.names.dead()).await?;
        let deleted = stream.delete_message(sequence).await;
        deleted.map(|_| ()).map_err(BusError::unavailable)
    }

    fn read(&self, message: StreamMessage) -> DeadLetter {
        let headers = &message.headers;
        let number = |name| get(headers, name).and_then(|text| text.parse().ok());
        let micros = message.time.unix_timestamp_nanos() / 1_000;
        DeadLetter {
            sequence: message.sequence,
            parked_by: self.bus.names.parked_by(&message.subject).to_owned(),
            reason: get(headers, REASON).unwrap_or_default(),
            place: get(headers, PLACE).unwrap_or_default(),
            parked_at: Timestamp::from_unix_micros(i64::try_from(micros).unwrap_or(i64::MAX)),
            subject: get(headers, SUBJECT),
            position: number(POSITION).map(Position),
            stream: get(headers, STREAM),
            revision: number(REVISION).map(Revision),
            event_type: get(headers, EVENT_TYPE),
            cut: number(CUT).unwrap_or(0),
            body: message.payload,
        }
    }
}

fn get(headers: &HeaderMap, name: &str) -> Option<String> {
    escape::read(headers.get(name)?.as_str())
}
