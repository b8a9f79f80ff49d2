//! Rotating keys while they are used: the key-encryption key, the provider's own key under it, and the keys that sign.
//!
//! ```text
//! begin_kek_rotation       run                                    retire
//! new version in the ring  it wraps; every key is wrapped anew    the older versions leave the ring
//! ```
//!
//! Each step is whole on disk before it counts, and can be repeated: after a crash, [`KeyRotation::run`] goes on where it
//! was. Where replicas share keys, their directories need the new ring between `begin` and `run`.

mod error;
mod progress;

use std::{
    fmt,
    fs::{File, TryLockError},
    io,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use countersign_core::{Clock, Rng};
use tokio::sync::{Mutex, MutexGuard};

pub use error::RotationError;
use progress::Progress;
pub use progress::RotationProgress;

use crate::{
    AssertionAlgorithm, AssertionKeys, KeyProviderChoice, OpenError, ProviderKind, VaultError,
    local_file::{files_not_under, open_signing_keys, rewrap_files, write_signing_keys},
    ring::{KeyRing, MAX_VERSIONS, RingPlace},
    shared::SharedStore,
    store::{ID_LEN, KeyStore},
};

/// How long a version must have wrapped on shared keys before the ones before it may be retired: by then every replica
/// has noticed, or makes no keys.
const SETTLED: Duration = Duration::from_secs(60);

/// More signing keys than anybody publishes at once; whoever checks statements reads them all.
const MAX_ASSERTION_KEYS: usize = 16;

/// Where users' keys are.
#[derive(Clone, Debug)]
pub(crate) enum RotatedStore {
    Local(Arc<KeyStore>),
    Shared(Arc<SharedStore>),
}

/// What rotations work on.
pub(crate) struct Parts {
    pub(crate) directory: PathBuf,
    pub(crate) place: Arc<RingPlace>,
    pub(crate) ring: Arc<KeyRing>,
    pub(crate) store: RotatedStore,
    pub(crate) assertion_keys: AssertionKeys,
    pub(crate) rng: Arc<dyn Rng>,
    pub(crate) clock: Arc<dyn Clock>,
}

/// A new key that signs statements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AssertionRotation {
    /// Its algorithm.
    pub algorithm: AssertionAlgorithm,
    /// How long it is published before it signs: as long as anyone keeps the published keys, and as the directory takes to
    /// reach all replicas.
    pub overlap: Duration,
    /// How long statements are good, and so how long the key that signed before is published after.
    pub statements_live: Duration,
}

/// Rotates the keys of an installation. Cheap to clone.
#[derive(Clone)]
pub struct KeyRotation {
    inner: Arc<Inner>,
}

struct Inner {
    parts: Parts,
    /// Held by whoever changes the ring or wraps anew.
    alone: Mutex<()>,
    progress: Progress,
}

impl fmt::Debug for KeyRotation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRotation").field("progress", &self.progress()).finish_non_exhaustive()
    }
}

/// Keeps others, in this process and others, from rotating the same keys.
struct Alone<'a> {
    _here: MutexGuard<'a, ()>,
    _elsewhere: File,
}

impl KeyRotation {
    pub(crate) fn new(parts: Parts) -> Self {
        let progress = Progress::default();
        Self { inner: Arc::new(Inner { parts, alone: Mutex::new(()), progress }) }
    }

    /// Returns the versions of the key-encryption key that are in the ring, the oldest first.
    #[must_use]
    pub fn versions(&self) -> Vec<u32> {
        self.inner.parts.ring.numbers()
    }

    /// Returns the version that wraps.
    #[must_use]
    pub fn wrapping(&self) -> u32 {
        self.inner.parts.ring.wrapping()
    }

    /// Returns who keeps the key-encryption key.
    #[must_use]
    pub fn provider(&self) -> ProviderKind {
        self.inner.parts.place.kind()
    }

    /// Returns how far [`run`](Self::run) has come, or had when it last ended. It takes nothing.
    #[must_use]
    pub fn progress(&self) -> RotationProgress {
        self.inner.progress.seen(self.inner.parts.ring.newest())
    }

    /// Draws a new version of the key-encryption key and puts it into the ring, and returns its number. What is made from
    /// here on is wrapped under it; on shared keys, only once [`run`](Self::run) was called, so that replicas can have the
    /// ring first.
    ///
    /// # Errors
    /// Says that the ring is full, that somebody else rotates, that the provider does not wrap the new version, or that the
    /// ring cannot be written. Nothing was changed then.
    pub async fn begin_kek_rotation(&self) -> Result<u32, RotationError> {
        let _alone = self.alone()?;
        let Parts { place, ring, store, rng, .. } = &self.inner.parts;
        if ring.numbers().len() >= MAX_VERSIONS {
            return Err(RotationError::RingFull { most: MAX_VERSIONS });
        }
        let wraps = matches!(store, RotatedStore::Local(_));
        let version = place.add(ring, &**rng, wraps).await?;
        tracing::info!(version, "a new version of the key-encryption key is in the ring");
        Ok(version)
    }

    /// Wraps everything anew that is not under the newest version of the key-encryption key: users' keys, the index key, the
    /// signing keys. Serving goes on meanwhile. Asks `stop` now and then; whoever stops it, or kills it, calls it again, and
    /// it goes on where it was.
    ///
    /// # Errors
    /// Says what cannot be read or written, or which key is damaged; what was wrapped anew stays so.
    pub async fn run(
        &self,
        stop: impl Fn() -> bool + Send + Sync,
    ) -> Result<RotationProgress, RotationError> {
        let _alone = self.alone()?;
        let Parts { directory, ring, store, clock, .. } = &self.inner.parts;
        let id = self.store_id().await?;
        let is_done = match store {
            RotatedStore::Local(store) => self.run_local(store, &stop).await?,
            RotatedStore::Shared(store) => {
                let version = store.wrap_under_newest(directory, &**clock).await?;
                let note = |done, total| self.inner.progress.note(version, done, total);
                store.rewrap(&stop, &note).await?
            }
        };
        if is_done {
            rewrap_files(directory, ring, &id)?;
        }
        Ok(self.progress())
    }

    async fn run_local(
        &self,
        store: &Arc<KeyStore>,
        stop: &(dyn Fn() -> bool + Send + Sync),
    ) -> Result<bool, RotationError> {
        let ring = &self.inner.parts.ring;
        let version = ring.wrapping();
        let settled = Arc::clone(store);
        waiting(move || {
            settled.settle();
            Ok(())
        })
        .await?;
        let total = store.count();
        let (mut done, mut first) = (0, 0);
        loop {
            self.inner.progress.note(version, done, total.max(done));
            if stop() {
                return Ok(false);
            }
            let (store, ring) = (Arc::clone(store), Arc::clone(ring));
            let Some(step) = waiting(move || store.rewrap(&ring, first)).await? else { break };
            (done, first) = (done + step.keys, step.next);
        }
        let store = Arc::clone(store);
        waiting(move || store.end_rewrap()).await?;
        // Some may have been erased meanwhile, and some made.
        self.inner.progress.note(version, done, done);
        Ok(true)
    }

    /// Takes all versions but the newest out of the ring, and returns which. They are never needed again: everything was
    /// read and is under the newest.
    ///
    /// # Errors
    /// Says how much is still under an older version, or that replicas may not have noticed the newest yet. Nothing was
    /// changed then.
    pub async fn retire(&self) -> Result<Vec<u32>, RotationError> {
        let _alone = self.alone()?;
        let Parts { directory, place, ring, store, rng, clock, .. } = &self.inner.parts;
        let newest = ring.newest();
        let id = self.store_id().await?;
        let mut left = files_not_under(directory, ring, &id, newest)?;
        match store {
            RotatedStore::Local(store) => {
                let (store, ring) = (Arc::clone(store), Arc::clone(ring));
                let counted =
                    tokio::task::spawn_blocking(move || store.count_not_under(&ring, newest));
                left += counted.await.map_err(ended)??;
            }
            RotatedStore::Shared(store) => {
                let since = store.setup().await?.since;
                let settled = clock.now().since(since);
                if ring.wrapping() == newest && settled < SETTLED {
                    let wait = SETTLED - settled;
                    return Err(RotationError::TooSoon { seconds: wait.as_secs().max(1) });
                }
                left += store.count_not_under(newest).await?;
            }
        }
        if ring.wrapping() != newest || left > 0 {
            return Err(RotationError::StillWrapped { count: left, version: newest });
        }
        let retired = place.keep_only(ring, newest, &**rng).await?;
        tracing::info!(?retired, "versions of the key-encryption key are retired");
        Ok(retired)
    }

    /// Lets the provider wrap the ring anew under the newest of its own keys, after that was rotated there.
    ///
    /// # Errors
    /// Says that the provider is away or refuses, or that the ring cannot be written. The ring is as it was then.
    pub async fn rewrap_ring(&self) -> Result<(), RotationError> {
        let _alone = self.alone()?;
        let Parts { place, ring, rng, .. } = &self.inner.parts;
        Ok(place.rewrap(ring, &**rng).await?)
    }

    /// Gives the ring to another provider to keep. The settings must say so before the next start.
    ///
    /// # Errors
    /// Says that the other provider does not wrap or does not unwrap again, or that the ring cannot be written. The ring is
    /// as it was then.
    pub async fn move_ring(&self, to: &KeyProviderChoice) -> Result<(), RotationError> {
        let _alone = self.alone()?;
        let Parts { place, ring, rng, clock, .. } = &self.inner.parts;
        let to = to.provider(Arc::clone(clock)).map_err(OpenError::from)?;
        Ok(place.move_to(ring, to, &**rng).await?)
    }

    /// Draws a new key that signs statements, publishes it, and lets it sign once the overlap has passed. The one that signs
    /// until then is published until its statements have expired. Returns the new key's id.
    ///
    /// # Errors
    /// Says that somebody else rotates, that too many keys are published already, or what cannot be written. Nothing was
    /// changed then.
    pub async fn rotate_assertion_key(
        &self,
        wanted: AssertionRotation,
    ) -> Result<String, RotationError> {
        let _alone = self.alone()?;
        let Parts { directory, ring, assertion_keys, .. } = &self.inner.parts;
        assertion_keys.replace(open_signing_keys(directory, &**ring)?);
        let AssertionRotation { algorithm, overlap, statements_live } = wanted;
        let keys = assertion_keys.with_one_more(algorithm, overlap, statements_live)?;
        if keys.len() > MAX_ASSERTION_KEYS {
            return Err(RotationError::TooManySigning { most: MAX_ASSERTION_KEYS });
        }
        write_signing_keys(directory, &**ring, &keys)?;
        let kid = keys.last().map(|key| key.key.kid().to_owned()).unwrap_or_default();
        assertion_keys.replace(keys);
        Ok(kid)
    }

    /// Removes signing keys whose statements have expired, and returns how many. They are no longer published anyway.
    ///
    /// # Errors
    /// Says that somebody else rotates, or what cannot be written.
    pub async fn remove_expired_assertion_keys(&self) -> Result<usize, RotationError> {
        let _alone = self.alone()?;
        let Parts { directory, ring, assertion_keys, .. } = &self.inner.parts;
        assertion_keys.replace(open_signing_keys(directory, &**ring)?);
        let left = assertion_keys.without_expired();
        let removed = assertion_keys.held().len() - left.len();
        if removed > 0 {
            write_signing_keys(directory, &**ring, &left)?;
            assertion_keys.replace(left);
        }
        Ok(removed)
    }

    async fn store_id(&self) -> Result<[u8; ID_LEN], OpenError> {
        match &self.inner.parts.store {
            RotatedStore::Local(store) => Ok(*store.id()),
            RotatedStore::Shared(store) => store.id().await,
        }
    }

    fn alone(&self) -> Result<Alone<'_>, RotationError> {
        let here = self.inner.alone.try_lock().map_err(|_| RotationError::Busy)?;
        let directory = &self.inner.parts.directory;
        let file = File::open(directory).map_err(OpenError::io(directory))?;
        match file.try_lock() {
            Ok(()) => Ok(Alone { _here: here, _elsewhere: file }),
            Err(TryLockError::WouldBlock) => Err(RotationError::Busy),
            Err(TryLockError::Error(source)) => {
                Err(OpenError::Io { path: directory.clone(), source }.into())
            }
        }
    }
}

fn ended(error: tokio::task::JoinError) -> VaultError {
    VaultError::unavailable(io::Error::other(error))
}

/// Does what waits for the disk on a thread that may.
async fn waiting<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, VaultError> + Send + 'static,
) -> Result<T, RotationError> {
    Ok(tokio::task::spawn_blocking(work).await.map_err(ended)??)
}
