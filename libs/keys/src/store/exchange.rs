//! Exchanging users' secrets keys while they are used.

use std::sync::atomic::Ordering;

use super::{KeyStore, Place, Slot, wrapped};
use crate::{VaultError, user_keys::Exchange, vault::SecretsKey};

impl KeyStore {
    /// Takes one step of exchanging the secrets keys of users, for all of them in one go, and says of each what came of it.
    /// What was is overwritten. An error that is nobody's own may leave some exchanged: repeat the call.
    pub(crate) fn exchange(
        &self,
        users: &[SecretsKey],
        step: impl Fn(u32) -> Exchange,
    ) -> Result<Vec<Result<(), VaultError>>, VaultError> {
        let alone = self.erasing.lock();
        let (mut outcomes, mut slots) = (Vec::with_capacity(users.len()), Vec::new());
        for key in users {
            outcomes.push(match self.exchanged(key, step(key.generation)) {
                Ok(Some(slot)) => {
                    slots.push(slot);
                    Ok(())
                }
                Ok(None) => Ok(()),
                Err(error @ VaultError::Unavailable(_)) => return Err(error),
                Err(error) => Err(error),
            });
        }
        if !slots.is_empty() {
            let written = self.file.rewrap(&slots);
            // Whatever came of it: from here on everybody reads it from the file.
            let index = self.index.write();
            self.exchanges.fetch_add(1, Ordering::Release);
            slots.iter().for_each(|(_, slot)| drop(self.cache.remove(&slot.user)));
            drop(index);
            written.map_err(VaultError::unavailable)?;
        }
        // Whoever waits to erase is next.
        parking_lot::MutexGuard::unlock_fair(alone);
        Ok(outcomes)
    }

    /// Returns a user's slot as it is after a step; `None` if it is so already.
    fn exchanged(
        &self,
        key: &SecretsKey,
        exchange: Exchange,
    ) -> Result<Option<(u32, Slot)>, VaultError> {
        let place = self.index.read().get(&key.user).copied();
        let Some(Place::Live(number)) = place else { return Err(VaultError::Erased) };
        let slot = self.read_slot(number, &key.tenant, key.user)?;
        let keys = self.unwrap(number, &slot)?.ok_or(VaultError::Erased)?;
        let Some(after) = keys.after(exchange, &*self.rng)? else { return Ok(None) };
        let content = wrapped(&*self.encryption, slot.owner, slot.user, &after)?;
        Ok(Some((number, Slot { content, ..slot })))
    }
}
