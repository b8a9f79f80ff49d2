//! Folds in memory, and as of when each is known to be what the log has.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use quick_cache::sync::Cache;

use crate::{Folded, StreamId};

/// A moment in the life of one process: later ones are greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket(u64);

/// Folds in memory. Others may append meanwhile, so that a fold is what the log had when the read or the append began that
/// proved it, and need not be what it has now.
pub(crate) struct Known<S> {
    folds: Cache<StreamId, Entry<S>>,
    tickets: AtomicU64,
}

struct Entry<S> {
    folded: Arc<Folded<S>>,
    as_of: Ticket,
}

impl<S> Clone for Entry<S> {
    fn clone(&self) -> Self {
        Self { folded: Arc::clone(&self.folded), as_of: self.as_of }
    }
}

impl<S> Known<S> {
    /// Makes room for `streams` folds.
    pub(crate) fn new(streams: usize) -> Self {
        Self { folds: Cache::new(streams), tickets: AtomicU64::new(0) }
    }

    /// Names the present moment.
    pub(crate) fn ticket(&self) -> Ticket {
        Ticket(self.tickets.fetch_add(1, Ordering::AcqRel))
    }

    /// Returns a fold that was right once.
    pub(crate) fn get(&self, stream: &StreamId) -> Option<Arc<Folded<S>>> {
        self.folds.get(stream).map(|entry| entry.folded)
    }

    /// Returns a fold that was right once, and as of when.
    pub(crate) fn get_dated(&self, stream: &StreamId) -> Option<(Arc<Folded<S>>, Ticket)> {
        self.folds.get(stream).map(|entry| (entry.folded, entry.as_of))
    }

    /// Keeps a fold that was right at `as_of`, unless a newer one is there.
    pub(crate) fn keep(&self, stream: &StreamId, folded: &Arc<Folded<S>>, as_of: Ticket) {
        let is_newer = self.folds.peek(stream).is_none_or(|entry| {
            (entry.folded.next_revision, entry.as_of) <= (folded.next_revision, as_of)
        });
        if is_newer {
            self.folds.insert(stream.clone(), Entry { folded: Arc::clone(folded), as_of });
        }
    }

    /// Lets a fold go.
    pub(crate) fn forget(&self, stream: &StreamId) {
        self.folds.remove(stream);
    }
}
