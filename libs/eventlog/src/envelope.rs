//! The stored form of an event.
//!
//! ```text
//! format version   1 byte
//! header           postcard: revision, stream, ids, type, metadata
//! payload          as it was given
//! position         8 bytes, big-endian
//! CRC32C           4 bytes, big-endian, over everything before it
//! ```
//!
//! The checksum covers the event's place too, so that an event which turns up elsewhere is found out. The position comes
//! last because only the writer knows it: callers encode, and the writer merely completes.

use std::{borrow::Cow, sync::Arc};

use bytes::Bytes;
use countersign_core::Timestamp;
use countersign_eventsourcing::{Metadata, NewEvent, Position, RecordedEvent, Revision, StreamId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Format that is written. Formats that were ever written are read for ever.
const FORMAT: u8 = 1;

/// Bytes after the payload: the position and the checksum.
const TAIL: usize = 8 + 4;

/// Why bytes are not a stored event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Fewer bytes than the smallest envelope has.
    #[error("the stored event is cut short")]
    Short,
    /// Not what was written.
    #[error("the stored event's checksum is {found:08x} and should be {stored:08x}")]
    Checksum {
        /// Checksum of the bytes.
        found: u32,
        /// Checksum stored with them.
        stored: u32,
    },
    /// Written by a newer release.
    #[error("the stored event has format {0}, which this release does not know")]
    Format(u8),
    /// The checksum is right, but what it covers is not an event.
    #[error("the stored event has no readable header")]
    Header,
}

#[derive(Serialize, Deserialize)]
struct Header<'a> {
    revision: u64,
    stream: &'a str,
    id: [u8; 16],
    event_type: &'a str,
    schema_version: u32,
    recorded_at: i64,
    correlation_id: [u8; 16],
    causation_id: [u8; 16],
    requester: &'a str,
    traceparent: &'a str,
    request_digest: u64,
}

/// An envelope that lacks nothing but its position.
#[derive(Debug)]
pub(crate) struct Draft {
    bytes: Vec<u8>,
    checksum: u32,
}

impl Draft {
    /// Encodes `event` for its place in `stream`.
    pub(crate) fn new(stream: &StreamId, revision: Revision, event: &NewEvent) -> Self {
        let metadata = &event.metadata;
        let header = Header {
            revision: revision.0,
            stream: stream.as_str(),
            id: event.id.into_bytes(),
            event_type: &event.event_type,
            schema_version: event.schema_version,
            recorded_at: metadata.recorded_at.unix_micros(),
            correlation_id: metadata.correlation_id.into_bytes(),
            causation_id: metadata.causation_id.into_bytes(),
            requester: &metadata.requester,
            traceparent: &metadata.traceparent,
            request_digest: metadata.request_digest,
        };
        let mut bytes = Vec::with_capacity(256 + event.payload.len());
        bytes.push(FORMAT);
        // Into a vector nothing can fail; if it did, the envelope would have no header and be refused when read.
        let mut bytes = postcard::to_extend(&header, bytes).unwrap_or_default();
        bytes.extend_from_slice(&event.payload);
        bytes.reserve_exact(TAIL);
        let checksum = crc32c::crc32c(&bytes);
        Self { bytes, checksum }
    }

    /// Returns how many bytes the envelope will have.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len() + TAIL
    }

    /// Completes the envelope.
    pub(crate) fn place(mut self, position: Position) -> Vec<u8> {
        let position = position.0.to_be_bytes();
        let checksum = crc32c::crc32c_append(self.checksum, &position);
        self.bytes.extend_from_slice(&position);
        self.bytes.extend_from_slice(&checksum.to_be_bytes());
        self.bytes
    }
}

/// Encodes a recorded event.
#[must_use]
pub fn encode(recorded: &RecordedEvent) -> Vec<u8> {
    Draft::new(&recorded.stream, recorded.revision, &recorded.event).place(recorded.position)
}

/// Decodes what [`encode`] made.
///
/// # Errors
/// Says why the bytes are not a stored event. Never panics, whatever the bytes.
pub fn decode(bytes: &[u8]) -> Result<RecordedEvent, EnvelopeError> {
    Decoder::default().decode(&Envelope::open(bytes)?)
}

/// A stored event whose checksum is right, not yet copied out.
#[derive(Debug)]
pub(crate) struct Envelope<'a> {
    header: Header<'a>,
    payload: &'a [u8],
    position: u64,
}

impl std::fmt::Debug for Header<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} revision {}", self.stream, self.revision)
    }
}

impl<'a> Envelope<'a> {
    /// Checks and takes apart.
    pub(crate) fn open(bytes: &'a [u8]) -> Result<Self, EnvelopeError> {
        let (covered, stored) = bytes.split_last_chunk::<4>().ok_or(EnvelopeError::Short)?;
        let stored = u32::from_be_bytes(*stored);
        let found = crc32c::crc32c(covered);
        if found != stored {
            return Err(EnvelopeError::Checksum { found, stored });
        }
        let (body, position) = covered.split_last_chunk::<8>().ok_or(EnvelopeError::Short)?;
        let (format, body) = body.split_first().ok_or(EnvelopeError::Short)?;
        if *format != FORMAT {
            return Err(EnvelopeError::Format(*format));
        }
        let (header, payload) =
            postcard::take_from_bytes(body).map_err(|_| EnvelopeError::Header)?;
        Ok(Self { header, payload, position: u64::from_be_bytes(*position) })
    }

    /// Returns the stream's name.
    pub(crate) const fn stream(&self) -> &'a str {
        self.header.stream
    }

    /// Returns the place in the stream.
    pub(crate) const fn revision(&self) -> u64 {
        self.header.revision
    }

    /// Returns the place in the log.
    pub(crate) const fn position(&self) -> u64 {
        self.position
    }

    /// Returns the event's type.
    pub(crate) const fn event_type(&self) -> &'a str {
        self.header.event_type
    }
}

/// Copies events out of their envelopes, sharing the texts that neighbours have in common.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    requester: Option<Arc<str>>,
    traceparent: Option<Arc<str>>,
    stream: Option<StreamId>,
}

impl Decoder {
    /// Copies one event out.
    pub(crate) fn decode(
        &mut self,
        envelope: &Envelope<'_>,
    ) -> Result<RecordedEvent, EnvelopeError> {
        let header = &envelope.header;
        let stream = match &self.stream {
            Some(last) if last.as_str() == header.stream => last.clone(),
            Some(_) | None => {
                let parsed: StreamId = header.stream.parse().map_err(|_| EnvelopeError::Header)?;
                self.stream = Some(parsed.clone());
                parsed
            }
        };
        Ok(RecordedEvent {
            stream,
            revision: Revision(header.revision),
            position: Position(envelope.position),
            event: NewEvent {
                id: Uuid::from_bytes(header.id),
                event_type: Cow::Owned(header.event_type.to_owned()),
                schema_version: header.schema_version,
                payload: Bytes::copy_from_slice(envelope.payload),
                metadata: Metadata {
                    recorded_at: Timestamp::from_unix_micros(header.recorded_at),
                    correlation_id: Uuid::from_bytes(header.correlation_id),
                    causation_id: Uuid::from_bytes(header.causation_id),
                    requester: share(&mut self.requester, header.requester),
                    traceparent: share(&mut self.traceparent, header.traceparent),
                    request_digest: header.request_digest,
                },
            },
        })
    }
}

fn share(last: &mut Option<Arc<str>>, text: &str) -> Arc<str> {
    match last {
        Some(last) if **last == *text => Arc::clone(last),
        Some(_) | None => Arc::clone(last.insert(text.into())),
    }
}
