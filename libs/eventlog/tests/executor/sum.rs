//! A decider that sums numbers.

use bytes::Bytes;
use countersign_core::Timestamp;
use countersign_eventsourcing::{
    Decider, DecodeError, EncodedEvent, EventCodec, Metadata, Request,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Sums numbers up to a limit.
#[derive(Debug)]
pub(crate) struct Sum;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Total(pub(crate) u64);

#[derive(Clone)]
pub(crate) struct Add {
    pub(crate) numbers: Vec<u64>,
    pub(crate) limit: u64,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Added {
    pub(crate) number: u64,
    /// The total that was decided on.
    pub(crate) from: u64,
}

#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("too much")]
pub(crate) struct TooMuch;

impl Decider for Sum {
    const CATEGORY: &'static str = "user";
    type State = Total;
    type Command = Add;
    type Event = Added;
    type Rejection = TooMuch;

    fn decide(state: &Total, command: Add) -> Result<Vec<Added>, TooMuch> {
        if state.0 + command.numbers.iter().sum::<u64>() > command.limit {
            return Err(TooMuch);
        }
        let mut from = state.0;
        let add = |number| {
            from += number;
            Added { number, from: from - number }
        };
        Ok(command.numbers.into_iter().map(add).collect())
    }

    fn evolve(state: Total, event: &Added) -> Total {
        Total(state.0 + event.number)
    }
}

impl EventCodec for Sum {
    const STATE_VERSION: u32 = 1;

    fn encode(event: &Added) -> EncodedEvent {
        let payload = [event.number.to_be_bytes(), event.from.to_be_bytes()].concat();
        EncodedEvent { event_type: "added", schema_version: 1, payload: payload.into() }
    }

    fn decode(event_type: &str, _: u32, payload: &Bytes) -> Result<Added, DecodeError> {
        let bad =
            |_| DecodeError::BadPayload { event_type: event_type.into(), what: "size".into() };
        let bytes: [u8; 16] = payload.as_ref().try_into().map_err(bad)?;
        let both = u128::from_be_bytes(bytes);
        let number = |shifted: u128| u64::try_from(shifted & u128::from(u64::MAX)).unwrap();
        Ok(Added { number: number(both >> 64), from: number(both) })
    }
}

pub(crate) fn add(numbers: &[u64]) -> Add {
    Add { numbers: numbers.to_vec(), limit: u64::MAX }
}

pub(crate) fn request(number: u128, digest: u64) -> Request {
    Request {
        command_id: Uuid::from_u128(number),
        metadata: Metadata {
            recorded_at: Timestamp::EPOCH,
            correlation_id: Uuid::nil(),
            causation_id: Uuid::nil(),
            requester: "test".into(),
            traceparent: "".into(),
            request_digest: digest,
        },
    }
}
