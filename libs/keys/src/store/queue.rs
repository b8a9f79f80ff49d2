//! New slots on their way to the disk. Whoever comes while others are being synced waits and shares the next sync; one
//! of those who wait does the writing for all.

use std::sync::{Arc, OnceLock};

use countersign_core::UserKey;
use parking_lot::{Condvar, Mutex, MutexGuard};

use super::slot::{Content, Owner, SLOT_LEN, Slot};
use crate::VaultError;

/// A slot to be.
#[derive(Clone, Debug)]
pub(crate) struct NewSlot {
    pub(crate) user: UserKey,
    pub(crate) owner: Owner,
    pub(crate) content: Content,
}

type Outcome = Arc<OnceLock<Result<(), VaultError>>>;

/// Slots that are written and synced together, and what came of it.
#[derive(Debug, Default)]
struct Batch {
    slots: Vec<NewSlot>,
    outcome: Outcome,
}

impl Batch {
    fn has(&self, user: UserKey) -> bool {
        self.slots.iter().any(|slot| slot.user == user)
    }
}

#[derive(Debug, Default)]
struct State {
    gathering: Batch,
    writing: Option<Arc<Batch>>,
}

/// New slots on their way to the disk.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

impl Queue {
    /// Waits until `slot`, or one for the same user, is written. `is_there` tells whether it is by now, and `write`
    /// writes a batch; only one thread at a time is in it.
    pub(crate) fn write(
        &self,
        slot: NewSlot,
        is_there: impl FnOnce() -> bool,
        write: impl Fn(&[NewSlot]) -> Result<(), VaultError>,
    ) -> Result<(), VaultError> {
        let mut state = self.state.lock();
        if is_there() {
            return Ok(());
        }
        let outcome = match &state.writing {
            Some(batch) if batch.has(slot.user) => Arc::clone(&batch.outcome),
            Some(_) | None => {
                if !state.gathering.has(slot.user) {
                    state.gathering.slots.push(slot);
                }
                Arc::clone(&state.gathering.outcome)
            }
        };
        loop {
            if let Some(outcome) = outcome.get() {
                return outcome.clone();
            }
            // Whoever waits for the batch that is being written is woken by its writer; so here it is the gathering one.
            if state.writing.is_none() {
                let batch = Arc::new(std::mem::take(&mut state.gathering));
                state.writing = Some(Arc::clone(&batch));
                let written = MutexGuard::unlocked(&mut state, || write(&batch.slots));
                batch.outcome.get_or_init(|| written);
                state.writing = None;
                self.changed.notify_all();
            } else {
                self.changed.wait(&mut state);
            }
        }
    }
}

#[cfg(test)]
impl Queue {
    /// Returns how many slots wait for the next sync.
    pub(crate) fn gathered(&self) -> usize {
        self.state.lock().gathering.slots.len()
    }

    /// Returns how many threads wait for the next sync.
    pub(crate) fn waiting(&self) -> usize {
        Arc::strong_count(&self.state.lock().gathering.outcome) - 1
    }
}

/// Returns the bytes of slots that are written together from slot `first` on.
pub(crate) fn encode(first: u32, slots: &[NewSlot]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(slots.len() * SLOT_LEN);
    for NewSlot { user, owner, content } in slots {
        let slot = Slot { user: *user, owner: *owner, batch: first, content: *content };
        bytes.extend_from_slice(&slot.encode());
    }
    bytes
}
