//! What readers and the writer share.

use std::path::PathBuf;

use countersign_eventsourcing::{Corruption, ReadError, StreamId};
use parking_lot::RwLock;
use quick_cache::sync::{Cache, GuardResult};

use super::{
    checkpoints::Checkpoints,
    error::{Refused, StoreError},
    store::{Store, StreamHead},
};

/// The open log, as readers see it.
pub(crate) struct Shared {
    pub(crate) directory: PathBuf,
    /// Absent while it is reopened after a failure, and once it is closed. Held for reading only as long as a page takes.
    pub(crate) store: RwLock<Opened>,
    /// Last events of streams; `None` for a stream without events.
    pub(crate) heads: Cache<StreamId, Option<StreamHead>>,
    pub(crate) checkpoints: Checkpoints,
}

/// Whether the store can be used.
pub(crate) enum Opened {
    Yes(Box<Store>),
    No(Refused),
    Damaged(Corruption),
}

impl Shared {
    /// Does something with the store.
    pub(crate) fn with_store<T>(
        &self,
        use_store: impl FnOnce(&Store) -> Result<T, ReadError>,
    ) -> Result<T, ReadError> {
        match &*self.store.read() {
            Opened::Yes(store) => use_store(store),
            Opened::No(refused) => Err(ReadError::Unavailable(refused.clone().source())),
            Opened::Damaged(corruption) => Err(ReadError::Corrupt(corruption.clone())),
        }
    }

    /// Returns a stream's last event, from memory if it is known there.
    pub(crate) fn head_of(&self, stream: &StreamId) -> Result<Option<StreamHead>, ReadError> {
        // While a guard is held and an append changes the head, the append's value stands and the guard's is dropped:
        // what is remembered is never older than what is stored.
        match self.heads.get_value_or_guard(stream, None) {
            GuardResult::Value(head) => Ok(head),
            GuardResult::Guard(guard) => {
                let head = self.look_up(stream)?;
                guard.insert(head).ok();
                Ok(head)
            }
            GuardResult::Timeout => self.look_up(stream),
        }
    }

    fn look_up(&self, stream: &StreamId) -> Result<Option<StreamHead>, ReadError> {
        self.with_store(|store| {
            store
                .head_of(stream)
                .map_err(|error: StoreError| error.at(|| format!("the index of {stream}")))
        })
    }
}
