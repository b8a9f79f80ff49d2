//! One message to one user: requested, then sent or failed. It is announced in the log before anything leaves.

mod convert;

use std::collections::BTreeMap;

use countersign_core::{DeliveryId, Timestamp};
use countersign_crypto::Sealed;
use countersign_eventsourcing::Decider;
use serde::{Deserialize, Serialize};

/// The decider of stream `deliveries-{tenant}.{delivery_id}`.
#[derive(Clone, Copy, Debug)]
pub struct Delivery;

/// Where a delivery stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum State {
    /// Nobody asked for it.
    #[default]
    Unknown,
    /// Announced, not yet handed to a provider.
    Requested,
    /// A provider took it, or none did.
    Finished,
}

/// What may be asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Announces a message.
    Request(DeliveryRequested),
    /// Records that a provider took it.
    RecordSent(DeliverySent),
    /// Records that no provider took it.
    RecordFailed(DeliveryFailed),
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// See [`DeliveryRequested`].
    DeliveryRequested(DeliveryRequested),
    /// See [`DeliverySent`].
    DeliverySent(DeliverySent),
    /// See [`DeliveryFailed`].
    DeliveryFailed(DeliveryFailed),
}

/// A message is to be sent; nothing was sent yet.
#[derive(Clone, Debug, PartialEq)]
pub struct DeliveryRequested {
    /// The delivery.
    pub delivery_id: DeliveryId,
    /// What it is about.
    pub template: Box<str>,
    /// The platform's own id of the user whom it is for.
    pub recipient: Sealed,
    /// What the template may name. Never a secret.
    pub values: BTreeMap<String, String>,
    /// When.
    pub requested_at: Timestamp,
}

/// A provider took the message.
#[derive(Clone, Debug, PartialEq)]
pub struct DeliverySent {
    /// The delivery.
    pub delivery_id: DeliveryId,
    /// The provider.
    pub provider: Box<str>,
    /// When.
    pub sent_at: Timestamp,
}

/// No provider took the message.
#[derive(Clone, Debug, PartialEq)]
pub struct DeliveryFailed {
    /// The delivery.
    pub delivery_id: DeliveryId,
    /// The provider that was asked last.
    pub provider: Box<str>,
    /// Why.
    pub reason: String,
    /// When.
    pub failed_at: Timestamp,
}

/// Why a command is not allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// Nobody asked for such a delivery.
    #[error("there is no such delivery")]
    NotFound,
}

impl Decider for Delivery {
    const CATEGORY: &'static str = "deliveries";
    type State = State;
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;

    fn decide(state: &State, command: Command) -> Result<Vec<Event>, Rejection> {
        let event = match (state, command) {
            (State::Unknown, Command::Request(event)) => Event::DeliveryRequested(event),
            (State::Unknown, Command::RecordSent(_) | Command::RecordFailed(_)) => {
                return Err(Rejection::NotFound);
            }
            (State::Requested, Command::RecordSent(event)) => Event::DeliverySent(event),
            (State::Requested, Command::RecordFailed(event)) => Event::DeliveryFailed(event),
            // Whoever reacts may see an event again after a crash: what is done stays done.
            (State::Requested | State::Finished, Command::Request(_))
            | (State::Finished, Command::RecordSent(_) | Command::RecordFailed(_)) => {
                return Ok(vec![]);
            }
        };
        Ok(vec![event])
    }

    fn evolve(_: State, event: &Event) -> State {
        match event {
            Event::DeliveryRequested(_) => State::Requested,
            Event::DeliverySent(_) | Event::DeliveryFailed(_) => State::Finished,
        }
    }
}

#[cfg(test)]
mod tests {
    use countersign_eventsourcing::{EventCodec as _, Scenario};
    use uuid::Uuid;

    use super::*;

    const AT: Timestamp = Timestamp::from_unix_seconds(5);

    fn id() -> DeliveryId {
        DeliveryId::new(Uuid::from_u128(1))
    }

    fn requested() -> DeliveryRequested {
        DeliveryRequested {
            delivery_id: id(),
            template: "authenticator_enrolled".into(),
            recipient: Sealed { key_id: "acme.00".into(), ciphertext: vec![1] },
            values: BTreeMap::from([("kind".to_owned(), "totp".to_owned())]),
            requested_at: AT,
        }
    }

    fn sent() -> DeliverySent {
        DeliverySent { delivery_id: id(), provider: "log".into(), sent_at: AT }
    }

    fn failed() -> DeliveryFailed {
        let reason = "refused".to_owned();
        DeliveryFailed { delivery_id: id(), provider: "log".into(), reason, failed_at: AT }
    }

    fn given(events: impl IntoIterator<Item = Event>) -> Scenario<Delivery> {
        Scenario::given(events)
    }

    #[test]
    fn a_delivery_is_announced_and_then_sent_or_failed() {
        given([]).when(Command::Request(requested())).then([Event::DeliveryRequested(requested())]);
        given([Event::DeliveryRequested(requested())])
            .when(Command::RecordSent(sent()))
            .then([Event::DeliverySent(sent())]);
        given([Event::DeliveryRequested(requested())])
            .when(Command::RecordFailed(failed()))
            .then([Event::DeliveryFailed(failed())]);
    }

    #[test]
    fn what_is_done_stays_done() {
        let done = [Event::DeliveryRequested(requested()), Event::DeliverySent(sent())];
        given(done.clone()).when(Command::Request(requested())).then([]);
        given(done.clone()).when(Command::RecordSent(sent())).then([]);
        given(done).when(Command::RecordFailed(failed())).then([]);
    }

    #[test]
    fn nothing_is_sent_that_was_not_announced() {
        given([]).when(Command::RecordSent(sent())).then_rejected(Rejection::NotFound);
        given([]).when(Command::RecordFailed(failed())).then_rejected(Rejection::NotFound);
    }

    #[test]
    fn every_event_survives_the_stored_form() {
        let events = [
            Event::DeliveryRequested(requested()),
            Event::DeliverySent(sent()),
            Event::DeliveryFailed(failed()),
        ];
        for event in events {
            let stored = Delivery::encode(&event);
            let read = Delivery::decode(stored.event_type, stored.schema_version, &stored.payload);
            assert_eq!(read, Ok(event));
        }
    }
}
