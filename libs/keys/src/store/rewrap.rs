//! Wrapping data keys anew while they are used.

use super::{Content, KeyStore, Place, SLOT_LEN, Slot, content_of, survey};
use crate::{KeyEncryption as _, OpenError, VaultError, WRAPPED_LEN, ring::KeyRing};

/// How many slots are looked at in one step: so long whoever erases waits, some milliseconds.
const STEP: u32 = 256;

/// What a step came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Step {
    /// The slot at which the next one begins.
    pub(crate) next: u32,
    /// How many keys were looked at; all are under the version that wraps now.
    pub(crate) keys: u64,
}

impl KeyStore {
    /// Waits until every key that was wrapped before this call can be found.
    pub(crate) fn settle(&self) {
        drop(self.creating.write());
    }

    /// Returns how many users have a key.
    pub(crate) fn count(&self) -> u64 {
        let index = self.index.read();
        index.values().filter(|place| matches!(place, Place::Live(_))).count() as u64
    }

    /// Wraps the keys of some slots from `first` on anew under the version of `ring` that wraps, where they are under
    /// another; `None` if there are no more slots.
    pub(crate) fn rewrap(&self, ring: &KeyRing, first: u32) -> Result<Option<Step>, VaultError> {
        let alone = self.erasing.lock();
        let end = self.end.lock().slots;
        if first >= end {
            return Ok(None);
        }
        let count = STEP.min(end - first);
        let length = usize::try_from(count).unwrap_or_default() * SLOT_LEN;
        let mut bytes = vec![0; length];
        self.file.read(first, &mut bytes).map_err(VaultError::unavailable)?;
        let wrapping = ring.wrapping();
        let (mut keys, mut anew) = (0, Vec::new());
        for (number, bytes) in (first..).zip(bytes.as_chunks::<SLOT_LEN>().0) {
            let damaged = |what| VaultError::damaged(self.file.place(number), what);
            let slot = Slot::parse(bytes).map_err(|error| damaged(error.what()))?;
            let Content::Key(wrapped) = slot.content else { continue };
            keys += 1;
            if let Some(content) = rewrapped(ring, wrapping, &slot, &wrapped)
                .map_err(|error| self.named(number, error))?
            {
                anew.push((number, Slot { content, ..slot }));
            }
        }
        if !anew.is_empty() {
            self.file.rewrap(&anew).map_err(VaultError::unavailable)?;
        }
        // Whoever waits to erase is next.
        parking_lot::MutexGuard::unlock_fair(alone);
        Ok(Some(Step { next: first + count, keys }))
    }

    /// Removes what wrapping anew needed.
    pub(crate) fn end_rewrap(&self) -> Result<(), VaultError> {
        let _alone = self.erasing.lock();
        self.file.remove_journal().map_err(VaultError::unavailable)
    }

    /// Returns how many keys are wrapped under another version than `version`.
    pub(crate) fn count_not_under(&self, ring: &KeyRing, version: u32) -> Result<u64, OpenError> {
        self.settle();
        // What is being appended is under the version that wraps.
        let end = self.end.lock().slots;
        let mut count = 0;
        survey(&self.file, |number, _, slot| {
            if number >= end {
                return Ok(());
            }
            let slot = slot.map_err(|what| VaultError::damaged(self.file.place(number), what))?;
            if let Content::Key(wrapped) = slot.content {
                let opened = ring.unwrap_and_tell(&slot.owner.associated(slot.user), &wrapped);
                let (found, _) = opened.map_err(|error| self.named(number, error))?;
                count += u64::from(found != version);
            }
            Ok(())
        })?;
        Ok(count)
    }

    /// Says which slot it is whose key does not open.
    fn named(&self, number: u32, error: VaultError) -> VaultError {
        match error {
            VaultError::Damaged(_) => VaultError::damaged(
                self.file.place(number),
                "its key does not open under the key-encryption key",
            ),
            error @ (VaultError::Erased | VaultError::Superseded | VaultError::Unavailable(_)) => {
                error
            }
        }
    }
}

/// Wraps a key anew; `None` if it is under version `wrapping`.
pub(crate) fn rewrapped(
    ring: &KeyRing,
    wrapping: u32,
    slot: &Slot,
    wrapped: &[u8; WRAPPED_LEN],
) -> Result<Option<Content>, VaultError> {
    let associated = slot.owner.associated(slot.user);
    let (version, key) = ring.unwrap_and_tell(&associated, wrapped)?;
    if version == wrapping {
        return Ok(None);
    }
    content_of(ring.wrap(&associated, key.expose())?).map(Some)
}
