//! One number that stands for all that a log holds.
//!
//! ```text
//! d(0)   = 32 zeros
//! d(n)   = SHA-256( d(n-1) | event n )
//! event  = text(stream) u64(revision) id text(type) u64(schema version)
//!          i64(recorded at, microseconds) correlation-id causation-id
//!          text(requester) text(traceparent) u64(request digest) text(payload)
//! text   = u64(length in bytes) bytes
//! ```
//!
//! Numbers are big-endian, ids have their 16 bytes. Positions are left out: they belong to the engine.

use std::fmt;

use countersign_crypto::sha256;
use countersign_eventsourcing::RecordedEvent;
use data_encoding::HEXLOWER;

use super::{CopyError, Told, reading::Reader};

/// How many events are read between two reports of progress.
const PROGRESS_INTERVAL: u64 = 1_024;

/// SHA-256 over all events of a log in their order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Digest([u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", HEXLOWER.encode(&self.0))
    }
}

/// What a log holds, in short.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summed {
    /// How many events that can be read.
    pub events: u64,
    /// Their digest.
    pub digest: Digest,
}

impl Summed {
    /// Takes one more event in.
    fn add(&mut self, event: &RecordedEvent, bytes: &mut Vec<u8>) {
        bytes.clear();
        bytes.extend_from_slice(&self.digest.0);
        write_event(event, bytes);
        self.digest = Digest(sha256(bytes));
        self.events += 1;
    }
}

pub(super) async fn sum(mut reader: Reader<'_>, told: Told<'_>) -> Result<Summed, CopyError> {
    sum_of(&mut reader, told).await
}

/// Reads to the end.
pub(super) async fn sum_of(reader: &mut Reader<'_>, told: Told<'_>) -> Result<Summed, CopyError> {
    let mut summed = Summed::default();
    let mut bytes = Vec::new();
    while let Some(event) = reader.next().await? {
        summed.add(&event, &mut bytes);
        if summed.events % PROGRESS_INTERVAL == 0 {
            told(reader.progress("verifying", summed.events));
        }
    }
    Ok(summed)
}

fn write_event(recorded: &RecordedEvent, bytes: &mut Vec<u8>) {
    let (event, metadata) = (&recorded.event, &recorded.event.metadata);
    write_text(recorded.stream.as_str().as_bytes(), bytes);
    bytes.extend_from_slice(&recorded.revision.0.to_be_bytes());
    bytes.extend_from_slice(event.id.as_bytes());
    write_text(event.event_type.as_bytes(), bytes);
    bytes.extend_from_slice(&u64::from(event.schema_version).to_be_bytes());
    bytes.extend_from_slice(&metadata.recorded_at.unix_micros().to_be_bytes());
    bytes.extend_from_slice(metadata.correlation_id.as_bytes());
    bytes.extend_from_slice(metadata.causation_id.as_bytes());
    write_text(metadata.requester.as_bytes(), bytes);
    write_text(metadata.traceparent.as_bytes(), bytes);
    bytes.extend_from_slice(&metadata.request_digest.to_be_bytes());
    write_text(&event.payload, bytes);
}

fn write_text(text: &[u8], bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(&(text.len() as u64).to_be_bytes());
    bytes.extend_from_slice(text);
}
