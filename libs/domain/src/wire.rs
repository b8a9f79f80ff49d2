//! Translation between domain words and the stored schema that several aggregates share.

use countersign_core::{AuthenticatorId, ChallengeId, DeliveryId, SignInId, Timestamp};
use countersign_crypto::Sealed;
use countersign_proto::event as wire;

/// Why a stored payload does not make sense, for the operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadPayload(pub String);

impl BadPayload {
    /// Says that `field` is missing or has no meaning.
    #[must_use]
    pub fn field(field: &str) -> Self {
        Self(format!("field {field} is missing or has no meaning"))
    }
}

/// Writes an instant, exact to the microsecond.
#[must_use]
pub fn timestamp_to_wire(instant: Timestamp) -> prost_types::Timestamp {
    let micros = instant.unix_micros().rem_euclid(1_000_000);
    prost_types::Timestamp {
        seconds: instant.unix_seconds(),
        // Below a thousand million, so it always fits.
        nanos: i32::try_from(micros * 1_000).unwrap_or(0),
    }
}

/// Reads an instant, exact to the microsecond. It stops at the ends of time, and so that what is read there is written as it
/// is: with the two parts put together before they are cut.
#[must_use]
pub fn timestamp_from_wire(wire: &prost_types::Timestamp) -> Timestamp {
    let micros = i128::from(wire.seconds) * 1_000_000 + i128::from(wire.nanos.div_euclid(1_000));
    let end = if micros < 0 { i64::MIN } else { i64::MAX };
    Timestamp::from_unix_micros(i64::try_from(micros).unwrap_or(end))
}

/// Reads an instant that must be there.
///
/// # Errors
/// Names the field if it is absent.
pub fn required_timestamp(
    wire: Option<&prost_types::Timestamp>,
    field: &str,
) -> Result<Timestamp, BadPayload> {
    wire.map(timestamp_from_wire).ok_or_else(|| BadPayload::field(field))
}

/// Writes a sealed value.
#[must_use]
pub fn sealed_to_wire(sealed: &Sealed) -> wire::Sealed {
    wire::Sealed { key_id: sealed.key_id.to_string(), ciphertext: sealed.ciphertext.clone().into() }
}

/// Reads a sealed value that must be there.
///
/// # Errors
/// Names the field if it is absent.
pub fn required_sealed(wire: Option<wire::Sealed>, field: &str) -> Result<Sealed, BadPayload> {
    let sealed = wire.ok_or_else(|| BadPayload::field(field))?;
    Ok(Sealed { key_id: sealed.key_id.into(), ciphertext: sealed.ciphertext.into() })
}

macro_rules! read_id {
    ($(#[$doc:meta])* $name:ident, $id:ident) => {
        $(#[$doc])*
        ///
        /// # Errors
        /// Names the field if it is not a UUID.
        pub fn $name(text: &str, field: &str) -> Result<$id, BadPayload> {
            $id::parse(text).map_err(|_| BadPayload::field(field))
        }
    };
}

read_id!(
    /// Reads an authenticator's id.
    authenticator_id,
    AuthenticatorId
);
read_id!(
    /// Reads a challenge's id.
    challenge_id,
    ChallengeId
);
read_id!(
    /// Reads a sign-in evaluation's id.
    sign_in_id,
    SignInId
);
read_id!(
    /// Reads a delivery's id.
    delivery_id,
    DeliveryId
);

/// Implements [`EventCodec`](countersign_eventsourcing::EventCodec) from conversions between each domain event and the
/// message of the same name. `was` lists older versions: each is decoded as its own message and then converted.
macro_rules! event_codec {
    ($decider:ty, state version $state:literal, {
        $($event:ident v $version:literal $(was { $($old:literal as $message:ident),+ })?),+ $(,)?
    }) => {
        impl countersign_eventsourcing::EventCodec for $decider {
            const STATE_VERSION: u32 = $state;

            fn encode(event: &Event) -> countersign_eventsourcing::EncodedEvent {
                use prost::Message as _;
                match event {
                    $(Event::$event(event) => countersign_eventsourcing::EncodedEvent {
                        event_type: stringify!($event),
                        schema_version: $version,
                        payload: countersign_proto::event::$event::from(event).encode_to_vec().into(),
                    },)+
                }
            }

            fn decode(
                event_type: &str,
                schema_version: u32,
                payload: &bytes::Bytes,
            ) -> Result<Event, countersign_eventsourcing::DecodeError> {
                use prost::Message as _;
                let bad = |what: String| countersign_eventsourcing::DecodeError::BadPayload {
                    event_type: event_type.to_owned(),
                    what,
                };
                match (event_type, schema_version) {
                    $((stringify!($event), $version) => {
                        let message = countersign_proto::event::$event::decode(payload.clone())
                            .map_err(|error| bad(error.to_string()))?;
                        let event = $event::try_from(message).map_err(|error| bad(error.to_string()))?;
                        Ok(Event::$event(event))
                    }
                    $($((stringify!($event), $old) => {
                        let message = countersign_proto::event::$message::decode(payload.clone())
                            .map_err(|error| bad(error.to_string()))?;
                        // Chained: the old form becomes the newest message, which is then read as any other.
                        let message = countersign_proto::event::$event::from(message);
                        let event = $event::try_from(message).map_err(|error| bad(error.to_string()))?;
                        Ok(Event::$event(event))
                    })+)?)+
                    _ => Err(countersign_eventsourcing::DecodeError::UnknownType {
                        event_type: event_type.to_owned(),
                        schema_version,
                    }),
                }
            }
        }

        impl $decider {
            /// Every event type with its newest schema version.
            pub const EVENT_TYPES: &'static [(&'static str, u32)] =
                &[$((stringify!($event), $version)),+];
        }
    };
}
pub(crate) use event_codec;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_written_as_it_was_read_up_to_the_ends_of_time() {
        for (seconds, nanos, micros) in [
            (0, 999_999_999, 999_999),
            (-1, 999_999_000, -1),
            (i64::MIN / 1_000_000, 0, i64::MIN / 1_000_000 * 1_000_000),
            (i64::MIN / 1_000_000 - 1, 224_192_000, i64::MIN),
            (i64::MIN / 1_000_000 - 1, 224_193_000, i64::MIN + 1),
            (i64::MIN, -1, i64::MIN),
            (i64::MAX, i32::MAX, i64::MAX),
        ] {
            let instant = timestamp_from_wire(&prost_types::Timestamp { seconds, nanos });
            assert_eq!(instant.unix_micros(), micros, "{seconds} s {nanos} ns");
            assert_eq!(timestamp_from_wire(&timestamp_to_wire(instant)), instant);
        }
    }
}
