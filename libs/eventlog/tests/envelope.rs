//! The stored form of an event never changes, and damage to it is found out.

#![expect(clippy::unwrap_used, reason = "a failed test says so by panicking")]

use bytes::Bytes;
use countersign_core::{TenantId, Timestamp};
use countersign_eventlog::envelope::{EnvelopeError, decode, encode};
use countersign_eventsourcing::{Metadata, NewEvent, Position, RecordedEvent, Revision, StreamId};
use data_encoding::HEXLOWER;
use proptest::{collection::vec, prelude::*};
use uuid::Uuid;

fn sample() -> RecordedEvent {
    RecordedEvent {
        stream: StreamId::new("challenges", &TenantId::parse("acme-eu").unwrap(), "0a1b.c")
            .unwrap(),
        revision: Revision(300),
        position: Position(1_000_000),
        event: NewEvent {
            id: Uuid::from_u128(0x0192_3c4d_5e6f_7a8b_9c0d_1e2f_3a4b_5c6d),
            event_type: "countersign.event.v1.ChallengeVerified".into(),
            schema_version: 2,
            payload: Bytes::from_static(b"\x0a\x04\x00\xff\xfe\x01 payload"),
            metadata: Metadata {
                recorded_at: Timestamp::from_unix_micros(1_700_000_000_123_456),
                correlation_id: Uuid::from_u128(1),
                causation_id: Uuid::from_u128(u128::MAX),
                requester: "api-key:7".into(),
                traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into(),
                request_digest: u64::MAX,
            },
        },
    }
}

/// Never edited: logs in this format exist.
const GOLDEN: &str = include_str!("golden/envelope.v1.hex");

#[test]
fn an_event_is_stored_as_it_always_was() {
    assert_eq!(HEXLOWER.encode(&encode(&sample())), GOLDEN.trim());
    assert_eq!(decode(&HEXLOWER.decode(GOLDEN.trim().as_bytes()).unwrap()).unwrap(), sample());
}

#[test]
fn a_newer_format_is_named() {
    let mut bytes = encode(&sample());
    bytes.truncate(bytes.len() - 4);
    bytes[0] = 9;
    let checksum = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&checksum.to_be_bytes());
    assert_eq!(decode(&bytes), Err(EnvelopeError::Format(9)));
}

#[test]
fn every_flipped_bit_of_an_event_is_found_out() {
    let bytes = encode(&sample());
    for bit in 0..bytes.len() * 8 {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert!(matches!(decode(&damaged), Err(EnvelopeError::Checksum { .. })), "bit {bit}");
    }
}

proptest! {
    #[test]
    fn an_event_comes_back_as_it_was(
        payload in vec(any::<u8>(), 0..600),
        texts in ("[a-zA-Z.]{1,40}", ".{0,40}", ".{0,60}", "[A-Za-z0-9._-]{1,80}"),
        numbers in (any::<u64>(), any::<u64>(), any::<u64>(), any::<u32>(), any::<i64>()),
        flip in any::<prop::sample::Index>(),
    ) {
        let mut recorded = sample();
        recorded.stream =
            StreamId::new("a", &TenantId::parse("t").unwrap(), &texts.3).unwrap();
        recorded.revision = Revision(numbers.0);
        recorded.position = Position(numbers.1);
        let event = &mut recorded.event;
        event.payload = payload.into();
        event.event_type = texts.0.into();
        event.metadata.requester = texts.1.into();
        event.metadata.traceparent = texts.2.into();
        event.metadata.request_digest = numbers.2;
        event.schema_version = numbers.3;
        event.metadata.recorded_at = Timestamp::from_unix_micros(numbers.4);
        let mut bytes = encode(&recorded);
        prop_assert_eq!(decode(&bytes).unwrap(), recorded);
        let bit = flip.index(bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(decode(&bytes).is_err());
    }

    #[test]
    fn bytes_that_are_no_event_never_panic(bytes in vec(any::<u8>(), 0..300), sealed: bool) {
        let mut bytes = bytes;
        if sealed {
            bytes.insert(0, 1);
            let checksum = crc32c::crc32c(&bytes);
            bytes.extend_from_slice(&checksum.to_be_bytes());
        }
        drop(decode(&bytes));
    }
}
