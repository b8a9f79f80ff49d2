//! What fuzz targets see of subjects and escapes, and nobody else.

use countersign_eventsourcing::StreamId;

use crate::{escape, names::Names};

/// Names the installation whose bus is fuzzed.
const PREFIX: &str = "fuzz";

/// Returns the subject of an event.
#[must_use]
pub fn subject(stream: &StreamId, event_type: &str) -> String {
    Names::new(PREFIX).event(stream, event_type)
}

/// Writes any text as a header's value.
#[must_use]
pub fn escape(text: &str) -> String {
    escape::value(text)
}

/// Reads an escaped value; `None` if it cannot have been written so.
#[must_use]
pub fn unescape(escaped: &str) -> Option<String> {
    escape::read(escaped)
}
