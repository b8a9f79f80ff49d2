//! Carrying keys over from another store.

use super::{Content, KeyStore, NewSlot, OTHER_TENANT, Place, Slot};
use crate::VaultError;

impl KeyStore {
    /// Carries users' slots over, synced together, and returns how many that changed. One that says that the user was
    /// erased counts for more than a key. Nobody else may use the store meanwhile.
    pub(crate) fn carry_over(&self, slots: &[Slot]) -> Result<u64, VaultError> {
        let (mut new, mut changed) = (Vec::new(), 0);
        for slot in slots {
            let place = self.index.read().get(&slot.user).copied();
            match (place, slot.content) {
                (None, content) => {
                    new.push(NewSlot { user: slot.user, owner: slot.owner, content });
                }
                (Some(Place::Live(number) | Place::Erasing(number)), Content::Erased { .. }) => {
                    self.erase_slot(number, slot.owner, slot.user)?;
                    changed += 1;
                }
                (Some(Place::Live(number)), Content::Key(wrapped)) => {
                    let damaged = |what| VaultError::damaged(self.file.place(number), what);
                    let there = self.read(number)?.map_err(|error| damaged(error.what()))?;
                    if there.owner != slot.owner {
                        return Err(damaged(OTHER_TENANT));
                    }
                    if there.content != Content::Key(wrapped) {
                        return Err(damaged("its key is another than the one to be copied"));
                    }
                }
                (Some(Place::Erasing(_)), Content::Key(_)) | (Some(Place::Erased), _) => {}
            }
        }
        if !new.is_empty() {
            self.append(&new).map_err(VaultError::unavailable)?;
        }
        Ok(changed + new.len() as u64)
    }
}
