//! The stored form of an event: what KurrentDB has a place for stands there, and the rest in the event's metadata.
//!
//! | KurrentDB | Event |
//! | --- | --- |
//! | stream, revision, event id, event type | the same |
//! | data | the payload, of the content type `application/octet-stream` |
//! | metadata | JSON: [`Header`] |
//!
//! The payload is data and not part of an envelope of ours, and the metadata is JSON under KurrentDB's own names for
//! correlation and causation, so that its pages show an event as what it is and its projections by category, type and
//! correlation work. The checksum is that of the [envelope](crate::envelope) that other engines store, with position 0: it
//! covers every part of the event and its place, wherever that is kept, so an event that was altered or turns up elsewhere
//! is found out.

use std::borrow::Cow;

use countersign_core::Timestamp;
use countersign_eventsourcing::{Metadata, NewEvent, Position, RecordedEvent, Revision, StreamId};
use data_encoding::HEXLOWER;
use eventstore::EventData;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::envelope::Draft;

/// Format that is written. Formats that were ever written are read for ever.
const FORMAT: u8 = 1;

/// The metadata of a stored event. Numbers of 64 bits are written in hexadecimal: whoever reads JSON with floating-point
/// numbers would round them.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Header<'a> {
    #[serde(rename = "$correlationId")]
    correlation_id: Uuid,
    #[serde(rename = "$causationId")]
    causation_id: Uuid,
    format: u8,
    schema_version: u32,
    /// Microseconds since 1970, exactly enough for the next two centuries.
    recorded_at: i64,
    #[serde(borrow)]
    requester: Cow<'a, str>,
    #[serde(borrow)]
    traceparent: Cow<'a, str>,
    #[serde(borrow)]
    request_digest: Cow<'a, str>,
    #[serde(borrow)]
    checksum: Cow<'a, str>,
}

/// Makes `events` ready to be sent, and says how large they are by the measure of [`crate::MAX_APPEND_BYTES`].
pub(super) fn outgoing(
    stream: &StreamId,
    first: Revision,
    events: &[NewEvent],
) -> (Vec<EventData>, usize) {
    let mut size = 0;
    let outgoing = events.iter().zip(first.0..).map(|(event, revision)| {
        let draft = Draft::new(stream, Revision(revision), event);
        size += draft.len();
        let metadata = &event.metadata;
        let header = Header {
            correlation_id: metadata.correlation_id,
            causation_id: metadata.causation_id,
            format: FORMAT,
            schema_version: event.schema_version,
            recorded_at: metadata.recorded_at.unix_micros(),
            requester: Cow::Borrowed(&metadata.requester),
            traceparent: Cow::Borrowed(&metadata.traceparent),
            request_digest: format!("{:016x}", metadata.request_digest).into(),
            checksum: checksum(draft).into(),
        };
        // Into a vector nothing can fail; if it did, the event would have no header and be refused when read.
        let header = serde_json::to_vec(&header).unwrap_or_default();
        EventData::binary(&event.event_type, event.payload.clone())
            .id(event.id)
            .metadata(header.into())
    });
    let outgoing = outgoing.collect();
    (outgoing, size)
}

/// Takes an event of `stream` as the server has it; says what is wrong with one that is not ours or was damaged.
pub(super) fn incoming(
    stream: &StreamId,
    stored: &eventstore::RecordedEvent,
) -> Result<RecordedEvent, String> {
    let header: Header<'_> = serde_json::from_slice(&stored.custom_metadata)
        .map_err(|_| "its metadata is not that of an event of this log".to_owned())?;
    if header.format != FORMAT {
        return Err(format!("it has format {}, which this release does not know", header.format));
    }
    let request_digest = u64::from_str_radix(&header.request_digest, 16)
        .map_err(|_| "its metadata has no readable request digest".to_owned())?;
    if stored.position.commit == u64::MAX {
        return Err("the server does not say where in the log it stands".to_owned());
    }
    let event = NewEvent {
        id: stored.id,
        event_type: Cow::Owned(stored.event_type.clone()),
        schema_version: header.schema_version,
        payload: stored.data.clone(),
        metadata: Metadata {
            recorded_at: Timestamp::from_unix_micros(header.recorded_at),
            correlation_id: header.correlation_id,
            causation_id: header.causation_id,
            requester: (*header.requester).into(),
            traceparent: (*header.traceparent).into(),
            request_digest,
        },
    };
    let revision = Revision(stored.revision);
    let found = checksum(Draft::new(stream, revision, &event));
    if found != header.checksum {
        return Err(format!("its checksum is {found} and should be {}", header.checksum));
    }
    let position = Position(stored.position.commit);
    Ok(RecordedEvent { stream: stream.clone(), revision, position, event })
}

/// The last four bytes of the envelope.
fn checksum(draft: Draft) -> String {
    let bytes = draft.place(Position(0));
    HEXLOWER.encode(bytes.last_chunk::<4>().map_or(&[], |checksum| &checksum[..]))
}
