//! What fuzz targets see of messages.

use bytes::Bytes;
use countersign_eventsourcing::{NewEvent, RecordedEvent, Revision, StreamId};

use super::{
    message::{self, MessageReader},
    subject::Names,
};

/// Names the installation whose log is fuzzed.
const PREFIX: &str = "fuzz";

/// Returns the subject of `stream`.
#[must_use]
pub fn subject(stream: &StreamId) -> String {
    Names::new(PREFIX).of(stream)
}

/// Encodes an append.
#[must_use]
pub fn encode(stream: &StreamId, first: Revision, events: &[NewEvent]) -> Bytes {
    message::encode(stream, first, events)
}

/// Reads the message that was stored with `subject` as number `sequence`; `None` if it is not an append.
#[must_use]
pub fn read(subject: &str, sequence: u64, body: &[u8]) -> Option<Vec<RecordedEvent>> {
    let names = Names::new(PREFIX);
    let read = MessageReader::default().read(&names, (subject, sequence), body, |_| true);
    read.ok().map(|append| append.events)
}
