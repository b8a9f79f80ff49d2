//! What is remembered of streams, so that most appends need not ask first. It may be out of date at any time: the server
//! decides.

use countersign_eventsourcing::StreamId;
use quick_cache::sync::Cache;

/// How many streams are remembered.
const STREAMS: usize = 64 * 1024;

/// A message that was a stream's last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known {
    /// The message.
    pub(super) sequence: u64,
    /// Place in the stream of its last event.
    pub(super) revision: u64,
}

/// The streams that were used last.
#[derive(Debug)]
pub(super) struct KnownStreams(Cache<StreamId, Known>);

impl Default for KnownStreams {
    fn default() -> Self {
        Self(Cache::new(STREAMS))
    }
}

impl KnownStreams {
    pub(super) fn get(&self, stream: &StreamId) -> Option<Known> {
        self.0.get(stream)
    }

    /// Remembers `known`, unless something newer is.
    pub(super) fn note(&self, stream: &StreamId, known: Known) {
        if self.0.peek(stream).is_none_or(|before| before.sequence < known.sequence) {
            self.0.insert(stream.clone(), known);
        }
    }

    pub(super) fn forget(&self, stream: &StreamId) {
        self.0.remove(stream);
    }
}
