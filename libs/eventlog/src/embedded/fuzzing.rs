//! What fuzz targets see of journals.

use std::path::Path;

use super::journal;

/// Walks the journals in `directory` as opening the log does, and cuts a torn tail; `None` if they are damaged. Returns the
/// first and the last position of the events of the keyspace `events_id`; `Some(None)` if there are none.
#[must_use]
pub fn survey(directory: &Path, events_id: u64) -> Option<Option<(u64, u64)>> {
    journal::survey(directory, events_id, None).ok().map(|surveyed| surveyed.events)
}
