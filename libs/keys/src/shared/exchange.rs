//! Exchanging users' secrets keys while any number of replicas use them.
//!
//! A step is one more message for the user, stored only if the user's last message is the one that it goes out from; then
//! the older message is removed, byte for byte, and with it the key that is let go of. Replicas hear of it.

use countersign_core::UserKey;
use futures_util::{StreamExt as _, stream};
use tokio::time::sleep;

use super::{SharedStore, erase, stream::Put, within};
use crate::{
    VaultError,
    store::{Content, OTHER_TENANT, Owner, Slot, wrapped},
    user_keys::Exchange,
    vault::SecretsKey,
};

/// How many users are on their way at once.
const ON_THE_WAY: usize = 16;

impl SharedStore {
    /// Takes one step of exchanging the secrets keys of users, and says of each what came of it. What was is overwritten.
    pub(crate) async fn exchange(
        &self,
        users: &[SecretsKey],
        step: impl Fn(u32) -> Exchange,
    ) -> Vec<Result<(), VaultError>> {
        let steps = users.iter().map(|key| (key.clone(), step(key.generation)));
        stream::iter(steps.collect::<Vec<_>>())
            .map(|(key, exchange)| within(self.exchange_one(key, exchange)))
            .buffered(ON_THE_WAY)
            .collect()
            .await
    }

    async fn exchange_one(&self, key: SecretsKey, exchange: Exchange) -> Result<(), VaultError> {
        let owner = Owner::of(&key.tenant);
        let user: UserKey = key.user;
        let mut last_error = None;
        for tried in 0..erase::TRIES {
            let stored = self.stream.last(user).await?.ok_or(VaultError::Erased)?;
            let slot = stored.slot.map_err(|what| stored.damaged(what))?;
            let Content::Key(content) = slot.content else { return Err(VaultError::Erased) };
            if slot.owner != owner {
                return Err(stored.damaged(OTHER_TENANT));
            }
            let keys = self.unwrap(&stored, &slot, &content).await?;
            let Some(after) = keys.after(exchange, &*self.rng)? else {
                // Whoever took the step may not have come to the end of it.
                return erase::remove_before(&self.stream, user, stored.sequence).await;
            };
            self.standing.may_wrap().await?;
            let content = wrapped(&*self.ring, owner, user, &after)?;
            match self.stream.put(&Slot { content, ..slot }, stored.sequence).await? {
                Put::Stored(sequence) => {
                    self.kept.replaced(user, sequence, |_| false);
                    return erase::remove_before(&self.stream, user, sequence).await;
                }
                Put::Conflict => {}
                Put::Unknown(error) => last_error = Some(error),
            }
            sleep(erase::PAUSE * 2_u32.pow(tried)).await;
        }
        Err(erase::contended(last_error))
    }
}
