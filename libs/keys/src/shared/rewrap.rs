//! Wrapping shared data keys anew while any number of replicas use them.
//!
//! A key wrapped anew is one more message for its user, stored only if the user's last message is the one whose key was
//! wrapped anew; then the older message is removed, byte for byte. Two who do so at once come to the same, and whoever is
//! erased meanwhile stays erased.

use std::collections::HashMap;

use countersign_core::{Clock, UserKey};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::time::sleep;

use super::{SharedStore, StreamSetup, erase, stream::Put, verify::read_all};
use crate::{
    KeyEncryption as _, OpenError, VaultError,
    ring::KeyRing,
    store::{Content, ID_LEN, Slot, rewrapped},
    user_keys::UserKeys,
};

/// How many keys are on their way at once.
const ON_THE_WAY: usize = 16;
/// How many keys are under way between two looks whether to stop.
const STEP: usize = 256;

/// What the stream holds.
#[derive(Default)]
struct Looked {
    /// Users' last messages.
    last: HashMap<UserKey, (u64, Slot)>,
    /// Messages with keys before them.
    older: Vec<Slot>,
    damage: Option<VaultError>,
}

impl SharedStore {
    /// Returns the id of the stream, to which the index key is bound.
    pub(crate) async fn id(&self) -> Result<[u8; ID_LEN], OpenError> {
        Ok(self.setup().await?.id)
    }

    /// Reads whose the stream is and since when its version wraps.
    pub(crate) async fn setup(&self) -> Result<StreamSetup, OpenError> {
        let setup = self.stream.setup().await?;
        setup.ok_or_else(|| OpenError::NotReady {
            what: format!("{} is not there", self.stream.place()),
            command: "init",
        })
    }

    /// Lets all replicas wrap under the newest version of the ring.
    pub(crate) async fn wrap_under_newest(
        &self,
        directory: &std::path::Path,
        clock: &dyn Clock,
    ) -> Result<u32, OpenError> {
        let setup = self.setup().await?;
        let newest = self.ring.newest();
        if setup.check(&self.stream, directory, &self.ring)? != newest {
            self.ring.wrap_under(newest);
            let setup = StreamSetup::new(setup.id, &*self.ring, clock.now())?;
            self.stream.update(&setup).await?;
        }
        Ok(newest)
    }

    /// Wraps all keys anew that are under another version than the one that wraps, and removes what is left of the older
    /// ones. Tells `progress` how many of how many are done; `stop` lets it end early, and returns `false`.
    pub(crate) async fn rewrap(
        &self,
        stop: &(dyn Fn() -> bool + Send + Sync),
        progress: &(dyn Fn(u64, u64) + Send + Sync),
    ) -> Result<bool, OpenError> {
        let looked = self.look().await?;
        let wrapping = self.ring.wrapping();
        let mut due = looked.doubled(&self.ring)?;
        let mut total = 0;
        for (user, (_, slot)) in &looked.last {
            let Content::Key(wrapped) = slot.content else { continue };
            total += 1;
            let associated = slot.owner.associated(slot.user);
            let (version, _) = self.ring.unwrap_and_tell(&associated, &wrapped)?;
            if version != wrapping {
                due.push(*user);
            }
        }
        let mut left = due.len() as u64;
        for users in due.chunks(STEP) {
            progress(total - left.min(total), total);
            if stop() {
                return Ok(false);
            }
            stream::iter(users.to_vec())
                .map(|user| self.rewrap_one(user))
                .buffer_unordered(ON_THE_WAY)
                .try_collect::<()>()
                .await?;
            left -= users.len() as u64;
        }
        progress(total, total);
        Ok(true)
    }

    /// Wraps one user's key anew, if it is not yet, and removes the older message.
    async fn rewrap_one(&self, user: UserKey) -> Result<(), VaultError> {
        let mut last_error = None;
        for tried in 0..erase::TRIES {
            let Some(stored) = self.stream.last(user).await? else { return Ok(()) };
            let slot = stored.slot.map_err(|what| stored.damaged(what))?;
            // Whoever was erased is erased by whoever does so, or by the follower.
            let Content::Key(wrapped) = slot.content else { return Ok(()) };
            let content = rewrapped(&self.ring, self.ring.wrapping(), &slot, &wrapped)?;
            let Some(content) = content else {
                return erase::remove_before(&self.stream, user, stored.sequence).await;
            };
            match self.stream.put(&Slot { content, ..slot }, stored.sequence).await? {
                Put::Stored(sequence) => {
                    return erase::remove_before(&self.stream, user, sequence).await;
                }
                Put::Conflict => {}
                Put::Unknown(error) => last_error = Some(error),
            }
            sleep(erase::PAUSE * 2_u32.pow(tried)).await;
        }
        Err(erase::contended(last_error))
    }

    /// Returns how many messages hold a key under another version than `version`.
    pub(crate) async fn count_not_under(&self, version: u32) -> Result<u64, OpenError> {
        let Looked { last, older, damage } = self.look().await?;
        if let Some(damage) = damage {
            return Err(damage.into());
        }
        let mut count = 0;
        for slot in last.values().map(|(_, slot)| slot).chain(&older) {
            let Content::Key(wrapped) = slot.content else { continue };
            let associated = slot.owner.associated(slot.user);
            let (found, _) = self.ring.unwrap_and_tell(&associated, &wrapped)?;
            count += u64::from(found != version);
        }
        Ok(count)
    }

    async fn look(&self) -> Result<Looked, OpenError> {
        let mut looked = Looked::default();
        read_all(&self.stream, |stored, _| match stored.slot {
            Ok(slot) => {
                let before = looked.last.insert(slot.user, (stored.sequence, slot));
                if let Some((_, before)) = before
                    && matches!(before.content, Content::Key(_))
                {
                    looked.older.push(before);
                }
            }
            Err(what) => {
                looked.damage = looked.damage.take().or_else(|| Some(stored.damaged(what)));
            }
        })
        .await?;
        Ok(looked)
    }
}

impl Looked {
    /// Returns the users of whom an older message is left that the last one supersedes. Other keys would be lost with it.
    fn doubled(&self, ring: &KeyRing) -> Result<Vec<UserKey>, VaultError> {
        if let Some(damage) = &self.damage {
            return Err(damage.clone());
        }
        let mut users = Vec::new();
        for older in &self.older {
            let Some((sequence, newer)) = self.last.get(&older.user) else { continue };
            let (Content::Key(older_key), Content::Key(newer_key)) = (older.content, newer.content)
            else {
                continue;
            };
            let associated = older.owner.associated(older.user);
            let opened = |wrapped: &[u8]| {
                ring.unwrap(&associated, wrapped).map(|keys| UserKeys::from_bytes(keys.expose()))
            };
            let supersedes = newer.owner == older.owner
                && match (opened(&older_key)?, opened(&newer_key)?) {
                    (Some(older), Some(newer)) => newer.supersede(&older),
                    (Some(_) | None, Some(_) | None) => false,
                };
            if !supersedes {
                let place = format!("message {sequence} of user {}", older.user);
                return Err(VaultError::damaged(place, "its user has other keys before it"));
            }
            users.push(older.user);
        }
        Ok(users)
    }
}
