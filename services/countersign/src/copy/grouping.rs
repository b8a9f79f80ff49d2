//! Putting events together again that were appended together.

use countersign_eventsourcing::RecordedEvent;

use super::{CopyError, reading::Reader};

/// No group has more payload than this in bytes, or than one event has.
const MAX_GROUP_BYTES: usize = 1024 * 1024;

/// Events of one source, as they are appended. The log does not say which were appended together; those of one command
/// stand one behind the other in one stream and have its metadata. Taking two appends for one does no harm.
pub(super) struct Groups<'a> {
    reader: Reader<'a>,
    /// The first of the next group.
    waiting: Option<RecordedEvent>,
}

impl<'a> Groups<'a> {
    pub(super) const fn new(reader: Reader<'a>) -> Self {
        Self { reader, waiting: None }
    }

    pub(super) const fn reader(&self) -> &Reader<'a> {
        &self.reader
    }

    pub(super) fn into_reader(self) -> Reader<'a> {
        self.reader
    }

    /// Returns the next events to append; never none, except at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<RecordedEvent>>, CopyError> {
        let first = match self.waiting.take() {
            Some(event) => Some(event),
            None => self.reader.next().await?,
        };
        let Some(first) = first else { return Ok(None) };
        let mut bytes = first.event.payload.len();
        let mut group = vec![first];
        while let Some(event) = self.reader.next().await? {
            bytes = bytes.saturating_add(event.event.payload.len());
            if bytes > MAX_GROUP_BYTES || !group.last().is_some_and(|last| belongs(last, &event)) {
                self.waiting = Some(event);
                break;
            }
            group.push(event);
        }
        Ok(Some(group))
    }
}

/// Returns whether `next` was appended with `last`.
fn belongs(last: &RecordedEvent, next: &RecordedEvent) -> bool {
    next.stream == last.stream
        && next.revision == last.revision.next()
        && next.event.metadata == last.event.metadata
}
