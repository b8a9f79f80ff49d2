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
use countersign_crypto::DataKey;
use countersign_nats::NatsAway;
use tokio::time::{Instant, sleep, timeout};

pub(crate) use carry::carry_over;
pub use keys::SharedKeys;
pub(crate) use keys::shared_ring;
pub(crate) use setup::StreamSetup;
pub(crate) use stream::KeyStream;
use stream::Put;
pub(crate) use verify::read_all;
pub use verify::{verify_shared, verify_shared_with};
use watch::Standing;

use crate::{
    KeyEncryption as _, VaultError, WRAPPED_LEN,
    ring::KeyRing,
    store::{Content, Found, OTHER_TENANT, OwnedKey, Owner, Slot},
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
        let follower = follower::start(stream.clone(), Arc::clone(&kept), seen);
        Ok(Self { stream, ring, standing, rng, kept, _follower: follower })
    }

    /// Finds a user's key in memory.
    pub(crate) fn cached(
        &self,
        tenant: &TenantId,
        user: UserKey,
    ) -> Result<Option<Found>, VaultError> {
        match self.kept.get(user, Instant::now()) {
            Some(Entry::Key(key)) if key.tenant == *tenant => Ok(Some(Found::Key(key))),
            Some(Entry::Key(_)) => Err(VaultError::damaged("data keys", OTHER_TENANT)),
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
                    found @ (Found::Key(_) | Found::Erased) => return Ok(found),
                }
                match self.create(tenant, user).await? {
                    Ok(key) => return Ok(Found::Key(key)),
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
        let associated = owner.associated(user);
        let mut unwrapped = self.ring.unwrap(&associated, &wrapped);
        // It may be under a version that came into the ring after it was read here.
        if matches!(unwrapped, Err(VaultError::Damaged(_))) && self.standing.look_again().await {
            unwrapped = self.ring.unwrap(&associated, &wrapped);
        }
        let unwrapped = unwrapped.map_err(|error| match error {
            VaultError::Damaged(_) => {
                stored.damaged("its key does not open under the key-encryption key")
            }
            error @ (VaultError::Erased | VaultError::Unavailable(_)) => error,
        })?;
        let key = <[u8; 32]>::try_from(unwrapped.expose());
        let key = key.map_err(|_| stored.damaged("its key is no key"))?;
        let data_key = DataKey::from_bytes(key);
        let key = Arc::new(OwnedKey { tenant: tenant.clone(), data_key });
        self.kept.keep(user, Entry::Key(Arc::clone(&key)), begun);
        Ok(Found::Key(key))
    }

    /// Makes a key for a user who has none; `Err` in `Ok` if another replica did, or the answer was lost.
    async fn create(
        &self,
        tenant: &TenantId,
        user: UserKey,
    ) -> Result<Result<Arc<OwnedKey>, Option<NatsAway>>, VaultError> {
        let begun = self.kept.begin();
        self.standing.may_wrap().await?;
        let owner = Owner::of(tenant);
        let data_key = DataKey::generate(&*self.rng);
        let wrapped = self.ring.wrap(&owner.associated(user), data_key.expose())?;
        let wrapped = <[u8; WRAPPED_LEN]>::try_from(wrapped).map_err(|wrapped| {
            let what = format!("it has {} bytes instead of {WRAPPED_LEN}", wrapped.len());
            VaultError::damaged("a wrapped key", what)
        })?;
        let slot = Slot { user, owner, batch: 0, content: Content::Key(wrapped) };
        match self.stream.put(&slot, 0).await? {
            Put::Stored(_) => {
                let key = Arc::new(OwnedKey { tenant: tenant.clone(), data_key });
                self.kept.keep(user, Entry::Key(Arc::clone(&key)), begun);
                Ok(Ok(key))
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
