//! The data-key store: one file of slots of one size, from which a key can be erased so that no byte of it remains.
//!
//! ```text
//!              create                          erase: one byte, sync
//! (nothing) ----------> live: wrapped key ----------------------------> erased, key still there
//!     |                                                                       | wipe, sync; or at the next start
//!     | erase                                                                 v
//!     +---------------------------------------------------------------> erased: user key only
//! ```
//!
//! An erased slot keeps the user key, a keyed hash that is no personal data, so that the user stays erased. Slots are
//! never used again. The directory's lock sees to it that one process has the store open.

mod carry;
mod exchange;
#[cfg(test)]
mod faults;
mod file;
mod journal;
mod queue;
mod rewrap;
mod slot;
mod survey;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    fmt, io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use countersign_core::{Rng, TenantId, UserKey};
use parking_lot::{Mutex, RwLock};
use quick_cache::sync::Cache;

pub(crate) use carry::same_key;
pub(crate) use file::{ID_LEN, NAME, SlotFile, new_id};
use queue::{NewSlot, Queue};
pub(crate) use rewrap::rewrapped;
use slot::Unreadable;
pub(crate) use slot::{Content, Owner, SLOT_LEN, Slot};
pub(crate) use survey::{Extent, survey};

use crate::{
    KeyEncryption, KeyProblem, OpenError, VaultError, WRAPPED_LEN,
    user_keys::{OwnedKeys, UserKeys},
};

/// Of how many users unwrapped keys are kept in memory, some 220 bytes each.
pub(crate) const CACHED_KEYS: usize = 20_000;

pub(crate) const OTHER_USER: &str = "it is another user's";
pub(crate) const OTHER_TENANT: &str = "the user belongs to another tenant";

/// What the store has for a user.
pub(crate) enum Found {
    /// Keys.
    Keys(Arc<OwnedKeys>),
    /// Nothing any more, and never again.
    Erased,
    /// Nothing yet.
    Nothing,
}

impl Found {
    /// Returns the keys of a user who must have some.
    pub(crate) fn keys(self) -> Result<Arc<OwnedKeys>, VaultError> {
        match self {
            Self::Keys(owned) => Ok(owned),
            Self::Erased | Self::Nothing => Err(VaultError::Erased),
        }
    }
}

/// Where a user's slot is, and how far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Live(u32),
    /// Erased as far as anyone can tell, but bytes of the key may be left: erasing again completes it.
    Erasing(u32),
    Erased,
}

/// The data-key store.
pub(crate) struct KeyStore {
    file: SlotFile,
    encryption: Arc<dyn KeyEncryption>,
    rng: Arc<dyn Rng>,
    index: RwLock<HashMap<UserKey, Place>>,
    /// Keys are put in only while the index is locked and says that they live; whoever erases changes the index first.
    cache: Cache<UserKey, Arc<OwnedKeys>>,
    /// Counts exchanges, so that what was read before one is not put into the cache after it.
    exchanges: AtomicU64,
    queue: Queue,
    end: Mutex<End>,
    /// Held by whoever erases or wraps anew: two at the same slot would read each other's half-written bytes.
    erasing: Mutex<()>,
    /// Shared by whoever makes a key, from wrapping it until it can be found.
    creating: RwLock<()>,
}

/// Where the next slot goes. Only the queue's one writer locks it.
struct End {
    slots: u32,
    /// Whether a failed write may have left bytes behind them.
    has_remains: bool,
}

impl fmt::Debug for KeyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyStore").field("file", &self.file).finish_non_exhaustive()
    }
}

impl KeyStore {
    /// Reads all slots, cuts a torn end, and completes erasures that a crash has stopped.
    pub(crate) fn open(
        file: SlotFile,
        encryption: Arc<dyn KeyEncryption>,
        rng: Arc<dyn Rng>,
    ) -> Result<Self, OpenError> {
        let failed = |source| OpenError::Io { path: file.path().to_owned(), source };
        file.remove_journal().map_err(failed)?;
        let mut index = HashMap::new();
        let mut unwiped = Vec::new();
        let Extent { slots, torn } = survey(&file, |number, _, slot| {
            let damaged = |what| OpenError::Damaged(KeyProblem::new(file.place(number), what));
            let slot = slot.map_err(damaged)?;
            let place = match slot.content {
                Content::Key(_) => Place::Live(number),
                Content::Erased { wiped } => {
                    if !wiped {
                        unwiped.push((number, slot));
                    }
                    Place::Erased
                }
            };
            match index.insert(slot.user, place) {
                None => Ok(()),
                Some(_) => Err(damaged("its user has another slot before it")),
            }
        })?;
        if torn > 0 {
            tracing::warn!(path = %file.path().display(), slots, bytes = torn, "cutting the torn end of the data keys");
            file.cut(slots).and_then(|()| file.sync()).map_err(failed)?;
        }
        if !unwiped.is_empty() {
            tracing::warn!(count = unwiped.len(), "completing erasures that were interrupted");
            for (number, slot) in &unwiped {
                file.overwrite(*number, &slot.tombstone()).map_err(failed)?;
            }
            file.sync().map_err(failed)?;
        }
        Ok(Self {
            file,
            encryption,
            rng,
            index: RwLock::new(index),
            cache: Cache::new(CACHED_KEYS),
            exchanges: AtomicU64::new(0),
            queue: Queue::default(),
            end: Mutex::new(End { slots, has_remains: false }),
            erasing: Mutex::new(()),
            creating: RwLock::new(()),
        })
    }

    /// Returns the random id of the store.
    pub(crate) const fn id(&self) -> &[u8; ID_LEN] {
        self.file.id()
    }

    /// Returns whether no user ever had a slot.
    pub(crate) fn is_empty(&self) -> bool {
        self.index.read().is_empty()
    }

    /// Finds a user's key.
    pub(crate) fn find(&self, tenant: &TenantId, user: UserKey) -> Result<Found, VaultError> {
        match self.cache.get(&user) {
            Some(keys) if keys.tenant == *tenant => Ok(Found::Keys(keys)),
            Some(_) => Err(VaultError::damaged("data keys", OTHER_TENANT)),
            None => self.load(tenant, user),
        }
    }

    /// Reads a user's keys from the file.
    pub(crate) fn load(&self, tenant: &TenantId, user: UserKey) -> Result<Found, VaultError> {
        let exchanges = self.exchanges.load(Ordering::Acquire);
        let place = self.index.read().get(&user).copied();
        let number = match place {
            None => return Ok(Found::Nothing),
            Some(Place::Erasing(_) | Place::Erased) => return Ok(Found::Erased),
            Some(Place::Live(number)) => number,
        };
        let loaded =
            self.read_slot(number, tenant, user).and_then(|slot| self.unwrap(number, &slot));
        let index = self.index.read();
        // It may have been erased while it was read, and then what was read means nothing.
        if index.get(&user) != place.as_ref() {
            return Ok(Found::Erased);
        }
        let Some(keys) = loaded? else { return Ok(Found::Erased) };
        let keys = Arc::new(OwnedKeys { tenant: tenant.clone(), keys });
        if self.exchanges.load(Ordering::Acquire) == exchanges {
            self.cache.insert(user, Arc::clone(&keys));
        }
        Ok(Found::Keys(keys))
    }

    /// Reads the slot of a user.
    fn read_slot(&self, number: u32, tenant: &TenantId, user: UserKey) -> Result<Slot, VaultError> {
        let slot = self.read(number)?;
        let damaged = |what| VaultError::damaged(self.file.place(number), what);
        let slot = slot.map_err(|error| damaged(error.what()))?;
        if slot.user != user {
            return Err(damaged(OTHER_USER));
        }
        if slot.owner != Owner::of(tenant) {
            return Err(damaged(OTHER_TENANT));
        }
        Ok(slot)
    }

    /// Unwraps the keys in a slot; `None` if its erasure has just begun.
    fn unwrap(&self, number: u32, slot: &Slot) -> Result<Option<UserKeys>, VaultError> {
        let Content::Key(wrapped) = slot.content else { return Ok(None) };
        let keys = self.encryption.unwrap(&slot.owner.associated(slot.user), &wrapped)?;
        let keys = UserKeys::from_bytes(keys.expose());
        let damaged = || VaultError::damaged(self.file.place(number), "its keys are no keys");
        keys.map(Some).ok_or_else(damaged)
    }

    fn read(&self, number: u32) -> Result<Result<Slot, Unreadable>, VaultError> {
        let mut bytes = [0; SLOT_LEN];
        match self.file.read(number, &mut bytes) {
            Ok(()) => Ok(Slot::parse(&bytes)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(VaultError::damaged(self.file.place(number), "the file ends before it"))
            }
            Err(error) => Err(VaultError::unavailable(error)),
        }
    }

    /// Makes a key for a user who has none, and waits until it is on disk. Does nothing for one who has one, or had.
    pub(crate) fn create(&self, tenant: &TenantId, user: UserKey) -> Result<(), VaultError> {
        let owner = Owner::of(tenant);
        let keys = UserKeys::generate(&*self.rng);
        let _creating = self.creating.read();
        let content = wrapped(&*self.encryption, owner, user, &keys)?;
        self.add(NewSlot { user, owner, content })
    }

    /// Erases a user's key, or notes that a user who had none may never have one.
    pub(crate) fn erase(&self, tenant: &TenantId, user: UserKey) -> Result<(), VaultError> {
        let owner = Owner::of(tenant);
        let _alone = self.erasing.lock();
        // Nothing of the key may be left in the journal, nor come back from it.
        self.file.complete_rewrap().map_err(VaultError::unavailable)?;
        loop {
            let place = self.index.read().get(&user).copied();
            match place {
                None => {
                    self.add(NewSlot { user, owner, content: Content::Erased { wiped: true } })?;
                }
                Some(Place::Live(number) | Place::Erasing(number)) => {
                    return self.erase_slot(number, owner, user);
                }
                Some(Place::Erased) => return Ok(()),
            }
        }
    }

    fn erase_slot(&self, number: u32, owner: Owner, user: UserKey) -> Result<(), VaultError> {
        let slot = match self.read(number)? {
            Ok(slot) if slot.user != user => {
                return Err(VaultError::damaged(self.file.place(number), OTHER_USER));
            }
            Ok(slot) if slot.owner != owner => {
                return Err(VaultError::damaged(self.file.place(number), OTHER_TENANT));
            }
            Ok(slot) => slot,
            // A damaged key is erased like any other, and the slot is whole again.
            Err(_) => Slot { user, owner, batch: number, content: Content::Erased { wiped: true } },
        };
        self.file.mark_erased(number).map_err(VaultError::unavailable)?;
        // From here on there is no way back: whatever fails now, the key is not given out again.
        {
            let mut index = self.index.write();
            index.insert(user, Place::Erasing(number));
            self.cache.remove(&user);
        }
        self.file
            .sync()
            .and_then(|()| self.file.overwrite(number, &slot.tombstone()))
            .and_then(|()| self.file.sync())
            .map_err(VaultError::unavailable)?;
        self.index.write().insert(user, Place::Erased);
        Ok(())
    }

    /// Adds a slot, unless there is one for its user.
    fn add(&self, slot: NewSlot) -> Result<(), VaultError> {
        let user = slot.user;
        self.queue.write(
            slot,
            || self.index.read().contains_key(&user),
            |slots| self.append(slots).map_err(VaultError::unavailable),
        )
    }

    /// Writes slots behind the last. If that fails, nothing of them stays.
    fn append(&self, slots: &[NewSlot]) -> io::Result<()> {
        let mut end = self.end.lock();
        let first = end.slots;
        let count = u32::try_from(slots.len()).map_err(io::Error::other)?;
        let next = first.checked_add(count).ok_or(io::ErrorKind::FileTooLarge)?;
        if end.has_remains {
            self.file.cut(first)?;
        }
        end.has_remains = true;
        if let Err(error) = self.file.append(first, &queue::encode(first, slots)) {
            end.has_remains = self.file.cut(first).is_err();
            return Err(error);
        }
        *end = End { slots: next, has_remains: false };
        let mut index = self.index.write();
        for (number, slot) in (first..next).zip(slots) {
            let place = match slot.content {
                Content::Key(_) => Place::Live(number),
                Content::Erased { .. } => Place::Erased,
            };
            index.insert(slot.user, place);
        }
        Ok(())
    }
}

/// Wraps a user's keys as the content of a slot.
pub(crate) fn wrapped(
    encryption: &dyn KeyEncryption,
    owner: Owner,
    user: UserKey,
    keys: &UserKeys,
) -> Result<Content, VaultError> {
    content_of(encryption.wrap(&owner.associated(user), &*keys.to_bytes())?)
}

fn content_of(wrapped: Vec<u8>) -> Result<Content, VaultError> {
    let wrapped = <[u8; WRAPPED_LEN]>::try_from(wrapped).map_err(|wrapped| {
        let what = format!("it has {} bytes instead of {WRAPPED_LEN}", wrapped.len());
        VaultError::damaged("wrapped keys", what)
    })?;
    Ok(Content::Key(wrapped))
}

#[cfg(test)]
impl KeyStore {
    /// Lets the `nth` operation of the disk from now fail and everything after it.
    pub(crate) fn fail_at(&self, nth: u64) {
        self.file.faults.die_at(nth);
    }
}
