//! Carrying keys over from another store.

use super::{Content, KeyStore, NewSlot, OTHER_TENANT, Place, Slot};
use crate::{KeyEncryption, VaultError};

/// Says whether two slots of one user hold the same key, however it is wrapped.
pub(crate) fn same_key(kek: &dyn KeyEncryption, one: &Slot, other: &Slot) -> bool {
    let (Content::Key(ours), Content::Key(theirs)) = (one.content, other.content) else {
        return false;
    };
    let associated = one.owner.associated(one.user);
    let opened = |wrapped: &[u8]| kek.unwrap(&associated, wrapped).ok();
    ours == theirs || opened(&ours).is_some_and(|key| Some(key) == opened(&theirs))
}

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
                (Some(Place::Live(number)), Content::Key(_)) => {
                    let damaged = |what| VaultError::damaged(self.file.place(number), what);
                    let there = self.read(number)?.map_err(|error| damaged(error.what()))?;
                    if there.owner != slot.owner {
                        return Err(damaged(OTHER_TENANT));
                    }
                    if !same_key(&*self.encryption, slot, &there) {
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
