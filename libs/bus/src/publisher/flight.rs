//! Events under way to NATS: sent one after the other without waiting, answered in the same order.

use async_nats::jetstream::{
    context::{PublishAckFuture, PublishError, PublishErrorKind},
    message::PublishMessage,
    publish::PublishAck,
};
use countersign_eventsourcing::{Position, RecordedEvent};
use futures_util::{StreamExt as _, future::BoxFuture, stream::FuturesOrdered};

use uuid::Uuid;

use super::Publisher;
use crate::{BusError, message::headers_of};

/// Who published a message.
pub(super) const PUBLISHED_BY: &str = "Countersign-Publisher";

/// Most bytes that are under way at once.
const MOST_BYTES: usize = 8 << 20;

/// What is under way.
#[derive(Default)]
pub(super) struct Flight {
    under_way: FuturesOrdered<BoxFuture<'static, Landing>>,
    bytes: usize,
    /// The message that the next one must stand behind.
    last: u64,
    /// The event that this message is; `None` while only its place is known.
    last_id: Option<Uuid>,
}

/// One that was answered.
pub(super) struct Landing {
    /// Place of the event in the log.
    pub(super) position: Position,
    /// Place that it was to take on the bus.
    pub(super) sequence: u64,
    /// What JetStream said; `None` for a place in the log that had nothing to publish.
    pub(super) answer: Option<Result<PublishAck, PublishError>>,
    bytes: usize,
}

/// Why an event was not sent.
pub(super) enum Unsent {
    /// It is larger than NATS takes.
    TooLarge,
    /// NATS is away.
    Away(BusError),
}

impl Flight {
    pub(super) fn after(last: u64) -> Self {
        Self { last, ..Self::default() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.under_way.is_empty()
    }

    pub(super) fn has_room(&self, most: usize) -> bool {
        self.under_way.len() < most.max(1) && self.bytes < MOST_BYTES
    }

    /// Waits for the answer that is due next; `None` if nothing is under way.
    pub(super) async fn landed(&mut self) -> Option<Landing> {
        let landing = self.under_way.next().await?;
        self.bytes = self.bytes.saturating_sub(landing.bytes);
        Some(landing)
    }

    /// Sends `event` on.
    pub(super) async fn send(
        &mut self,
        publisher: &Publisher,
        event: &RecordedEvent,
    ) -> Result<(), Unsent> {
        let payload = event.event.payload.clone();
        let bytes = payload.len();
        let mut message = PublishMessage::build()
            .headers(headers_of(publisher.log.id(), event))
            .header(PUBLISHED_BY, publisher.name.as_str())
            .payload(payload)
            .expected_last_sequence(self.last);
        if let Some(id) = self.last_id {
            // The place alone would do if nobody else could take it: then this one is refused with the one before.
            message = message.expected_last_message_id(id.to_string());
        }
        let subject = publisher.bus.names.event(&event.stream, &event.event.event_type);
        let sent = publisher.bus.nats.jetstream().send_publish(subject, message).await;
        let answer = sent.map_err(|error| match error.kind() {
            PublishErrorKind::MaxPayloadExceeded => Unsent::TooLarge,
            PublishErrorKind::StreamNotFound
            | PublishErrorKind::WrongLastMessageId
            | PublishErrorKind::WrongLastSequence
            | PublishErrorKind::TimedOut
            | PublishErrorKind::BrokenPipe
            | PublishErrorKind::MaxAckPending
            | PublishErrorKind::Other => Unsent::Away(BusError::unavailable(error)),
        })?;
        self.last += 1;
        self.last_id = Some(event.event.id);
        self.bytes += bytes;
        self.under_way.push_back(land(event.position, self.last, bytes, answer));
        Ok(())
    }

    /// Lets `position` count once everything before it has been answered.
    pub(super) fn pass(&mut self, position: Position) {
        let landing = Landing { position, sequence: self.last, answer: None, bytes: 0 };
        self.under_way.push_back(Box::pin(std::future::ready(landing)));
    }
}

fn land(
    position: Position,
    sequence: u64,
    bytes: usize,
    answer: PublishAckFuture,
) -> BoxFuture<'static, Landing> {
    Box::pin(async move { Landing { position, sequence, answer: Some(answer.await), bytes } })
}
