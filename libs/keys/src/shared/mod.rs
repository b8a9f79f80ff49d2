//! Data keys in NATS, for services that are processes of their own in any number of replicas.
//!
//! The directory holds what all replicas have alike and only read, such as a mounted secret; the data keys, wrapped, lie
//! in a stream with one subject per user.
//!
//! ```text
//!              create: key                       erase: marker, then the key is removed
//! (nothing) ----------------> last message: key ---------------------------------------> last message: marker
//!     |                                                                                           ^
//!     +-------------------------------------------------------------------------------------------+
//! ```
//!
//! Every message is stored only if the user's last message is the one that was expected, so that replicas that make a key
//! at once agree on one, and whoever is erased never has one again. What is read is asked of the stream's leader.
//!
//! A message is one slot, as [`store`](crate::store) knows it, so that keys are carried between the two stores as they are.
//!
//! Erasing overwrites the key's bytes on every server that has the stream. Out of its reach remain, beside backups: with
//! more than one server, the journals from which servers that were away catch up, which hold the message until they are
//! compacted; and the memory of a replica that cannot hear the stream, for [`TRUSTED_FOR`](kept::TRUSTED_FOR).

mod carry;
mod erase;
mod exchange;
mod follower;
mod kept;
mod keys;
mod rewrap;
mod setup;
mod stream;
mod verify;
mod watch;

use std::{fmt, sync::Arc, time::Duration};

use countersign_core::{Rng, TenantId, UserKey};
use countersign_nats::NatsAway;
use tokio::time::{Instant, sleep, timeout};

pub(crate) use carry::carry_over;
pub use keys::SharedKeys;
pub(crate) use keys::shared_ring;
pub(crate) use setup::StreamSetup;
pub(crate) use stream::KeyStream;
use stream::{Put, Stored};
pub(crate) use verify::read_all;
pub use verify::{verify_shared, verify_shared_with};
use watch::Standing;

use crate::{
    KeyEncryption as _, VaultError,
    ring::KeyRing,
    store::{Content, Found, OTHER_TENANT, Owner, Slot, wrapped},
    user_keys::{OwnedKeys, UserKeys},
};
use follower::Follower;
use kept::{Entry, Kept};

/// How long a caller waits, whatever happens.
const LONGEST: Duration = Duration::from_secs(3);

/// The data-key store in NATS.
pub(crate) struct SharedStore {
    stream: KeyStream,
    ring: Arc<KeyRing>,
    standing: Standing,
    rng: Arc<dyn Rng>,
    kept: Arc<Kept>,
    _follower: Follower,
}

impl fmt::Debug for SharedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedStore").field("stream", &self.stream.name).finish_non_exhaustive()
    }
}

impl SharedStore {
    /// Opens a stream that is there, and follows it from here on.
    pub(crate) async fn open(
        stream: KeyStream,
        ring: Arc<KeyRing>,
        standing: Standing,
        rng: Arc<dyn Rng>,
    ) -> Result<Self, VaultError> {
        let now = Instant::now();
        let kept = Arc::new(Kept::new(now));
        let seen = within(stream.end()).await?;
        let follower = follower::start(stream.clone(), Arc::clone(&ring), Arc::clone(&kept), seen);
        Ok(Self { stream, ring, standing, rng, kept, _follower: follower })
    }

    /// Finds a user's key in memory.
    pub(crate) fn cached(
        &self,
        tenant: &TenantId,
        user: UserKey,
    ) -> Result<Option<Found>, VaultError> {
        match self.kept.get(user, Instant::now()) {
            Some(Entry::Keys(keys, _)) if keys.tenant == *tenant => Ok(Some(Found::Keys(keys))),
            Some(Entry::Keys(..)) => Err(VaultError::damaged("data keys", OTHER_TENANT)),
            Some(Entry::Erased) => Ok(Some(Found::Erased)),
            None => Ok(None),
        }
    }

    /// Finds a user's key in the stream.
    pub(crate) async fn find(&self, tenant: &TenantId, user: UserKey) -> Result<Found, VaultError> {
        within(self.load(tenant, user)).await
    }

    /// Finds a user's key in the stream, or makes it.
    pub(crate) async fn find_or_make(
        &self,
        tenant: &TenantId,
        user: UserKey,
    ) -> Result<Found, VaultError> {
        within(async {
            let mut last_error = None;
            for tried in 0..erase::TRIES {
                match self.load(tenant, user).await? {
                    Found::Nothing => {}
                    found @ (Found::Keys(_) | Found::Erased) => return Ok(found),
                }
                match self.create(tenant, user).await? {
                    Ok(keys) => return Ok(Found::Keys(keys)),
                    Err(error) => last_error = error,
                }
                sleep(erase::PAUSE * 2_u32.pow(tried)).await;
            }
            Err(erase::contended(last_error))
        })
        .await
    }

    async fn load(&self, tenant: &TenantId, user: UserKey) -> Result<Found, VaultError> {
        let begun = self.kept.begin();
        let Some(stored) = self.stream.last(user).await? else { return Ok(Found::Nothing) };
        let slot = stored.slot.map_err(|what| stored.damaged(what))?;
        let owner = Owner::of(tenant);
        let wrapped = match slot.content {
            Content::Erased { .. } => {
                erase::remove_before(&self.stream, user, stored.sequence).await?;
                self.kept.erased(user);
                return Ok(Found::Erased);
            }
            Content::Key(_) if slot.owner != owner => return Err(stored.damaged(OTHER_TENANT)),
            Content::Key(wrapped) => wrapped,
        };
        let keys = self.unwrap(&stored, &slot, &wrapped).await?;
        let keys = Arc::new(OwnedKeys { tenant: tenant.clone(), keys });
        self.kept.keep(user, Entry::Keys(Arc::clone(&keys), stored.sequence), begun);
        Ok(Found::Keys(keys))
    }

    /// Unwraps the keys of a message.
    async fn unwrap(
        &self,
        stored: &Stored,
        slot: &Slot,
        wrapped: &[u8],
    ) -> Result<UserKeys, VaultError> {
        let associated = slot.owner.associated(slot.user);
        let mut unwrapped = self.ring.unwrap(&associated, wrapped);
        // It may be under a version that came into the ring after it was read here.
        if matches!(unwrapped, Err(VaultError::Damaged(_))) && self.standing.look_again().await {
            unwrapped = self.ring.unwrap(&associated, wrapped);
        }
        let unwrapped = unwrapped.map_err(|error| match error {
            VaultError::Damaged(_) => {
                stored.damaged("its key does not open under the key-encryption key")
            }
            error @ (VaultError::Erased | VaultError::Superseded | VaultError::Unavailable(_)) => {
                error
            }
        })?;
        let keys = UserKeys::from_bytes(unwrapped.expose());
        keys.ok_or_else(|| stored.damaged("its keys are no keys"))
    }

    /// Makes a key for a user who has none; `Err` in `Ok` if another replica did, or the answer was lost.
    async fn create(
        &self,
        tenant: &TenantId,
        user: UserKey,
    ) -> Result<Result<Arc<OwnedKeys>, Option<NatsAway>>, VaultError> {
        let begun = self.kept.begin();
        self.standing.may_wrap().await?;
        let owner = Owner::of(tenant);
        let keys = UserKeys::generate(&*self.rng);
        let content = wrapped(&*self.ring, owner, user, &keys)?;
        let slot = Slot { user, owner, batch: 0, content };
        match self.stream.put(&slot, 0).await? {
            Put::Stored(sequence) => {
                let keys = Arc::new(OwnedKeys { tenant: tenant.clone(), keys });
                self.kept.keep(user, Entry::Keys(Arc::clone(&keys), sequence), begun);
                Ok(Ok(keys))
            }
            Put::Conflict => Ok(Err(None)),
            Put::Unknown(error) => Ok(Err(Some(error))),
        }
    }

    /// Erases a user's key, or notes that a user who had none may never have one.
    pub(crate) async fn erase(&self, tenant: &TenantId, user: UserKey) -> Result<(), VaultError> {
        within(async {
            let marker = erase::mark(&self.stream, tenant, user).await?;
            // From here on there is no way back: whatever fails now, the key is not given out again.
            self.kept.erased(user);
            erase::remove_before(&self.stream, user, marker).await
        })
        .await
    }
}

/// Gives up after [`LONGEST`].
async fn within<T>(work: impl Future<Output = Result<T, VaultError>>) -> Result<T, VaultError> {
    let slow = |_| NatsAway::new(format!("no answer within {} ms", LONGEST.as_millis()));
    let done = timeout(LONGEST, work).await;
    done.unwrap_or_else(|elapsed| Err(VaultError::unavailable(slow(elapsed))))
}
