//! Opening the keys that all replicas share, and making them.

use std::{
    fmt,
    fs::{self, File},
    io,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    sync::Arc,
};

use countersign_core::{Clock, Rng};
use countersign_nats::Nats;

use super::{KeyStream, SharedStore, StreamSetup, watch};
use crate::{
    AssertionKey, AssertionKeys, KeyProviderChoice, KeyRotation, OpenError, UserVault,
    assertion::SystemClock,
    local_file::{
        ASSERTION_KEYS, INDEX_KEY, create_index_key, create_signing_key, not_lost, open_index_key,
        open_signing_keys, prepare, present,
    },
    ring::{GROUP, KEK, KeyRing, RingPlace},
    rotation::{Parts, RotatedStore},
    store::{self, new_id},
};

/// What makes the keys.
const INIT: &str = "init";

/// The keys of services that are processes of their own.
///
/// All replicas have the same directory, which they only read: the files `kek`, `index-key` and `assertion-keys`, for
/// their owner and its group alone. They notice when these change. Users' data keys lie in the stream `{prefix}_keys`.
pub struct SharedKeys {
    vault: UserVault,
    assertion_keys: AssertionKeys,
    rotation: KeyRotation,
}

impl fmt::Debug for SharedKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = &self.assertion_keys;
        f.debug_struct("SharedKeys").field("assertion_keys", keys).finish_non_exhaustive()
    }
}

impl SharedKeys {
    /// Opens keys that are there, and changes nothing. Must be called in a runtime, which then hears who is erased
    /// elsewhere.
    ///
    /// # Errors
    /// Says what is missing, damaged, too new, open to others or from elsewhere, and what to do; or that NATS is away.
    pub async fn open(directory: &Path, nats: &Nats, rng: Arc<dyn Rng>) -> Result<Self, OpenError> {
        Self::open_with(directory, nats, &KeyProviderChoice::Local, rng, Arc::new(SystemClock))
            .await
    }

    /// Opens keys as [`open`](Self::open) does, under a key-encryption key that `provider` keeps. It is asked once, here,
    /// and again when the key-encryption key was rotated.
    ///
    /// # Errors
    /// As [`open`](Self::open); and says that the provider is away, refuses, or is another than the one that keeps the key.
    pub async fn open_with(
        directory: &Path,
        nats: &Nats,
        provider: &KeyProviderChoice,
        rng: Arc<dyn Rng>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, OpenError> {
        let stream = KeyStream::of(nats).await?;
        let place = RingPlace::new(directory, GROUP, provider.provider(Arc::clone(&clock))?);
        let place = Arc::new(place);
        let (ring, setup) = shared_ring(&stream, directory, &place, Some(Arc::clone(&rng))).await?;
        let ring = Arc::new(ring);
        let index_key = open_index_key(directory, &*ring, &setup.id)?;
        let signing_keys = open_signing_keys(directory, &*ring)?;
        let assertion_keys = AssertionKeys::new(signing_keys, Arc::clone(&clock));
        let standing = watch::start(
            directory.to_owned(),
            stream.clone(),
            Arc::clone(&place),
            Arc::clone(&ring),
            assertion_keys.clone(),
        );
        let store =
            SharedStore::open(stream, Arc::clone(&ring), standing, Arc::clone(&rng)).await?;
        let store = Arc::new(store);
        let rotation = KeyRotation::new(Parts {
            directory: directory.to_owned(),
            place,
            ring,
            store: RotatedStore::Shared(Arc::clone(&store)),
            assertion_keys: assertion_keys.clone(),
            rng: Arc::clone(&rng),
            clock,
        });
        Ok(Self { vault: UserVault::shared(index_key, store, rng), assertion_keys, rotation })
    }

    /// Makes what is missing of the directory and the stream, and opens the keys. What is there stays as it is; two who
    /// do so at once on one machine make one installation.
    ///
    /// # Errors
    /// As [`open`](Self::open); and says what was lost that is never made anew.
    pub async fn create(
        directory: &Path,
        nats: &Nats,
        rng: Arc<dyn Rng>,
    ) -> Result<Self, OpenError> {
        Self::create_with(directory, nats, &KeyProviderChoice::Local, rng, Arc::new(SystemClock))
            .await
    }

    /// Makes what is missing as [`create`](Self::create) does, with a key-encryption key that `provider` keeps.
    ///
    /// # Errors
    /// As [`create`](Self::create); and says that the provider is away, refuses, or is another than the one that keeps the
    /// key.
    pub async fn create_with(
        directory: &Path,
        nats: &Nats,
        provider: &KeyProviderChoice,
        rng: Arc<dyn Rng>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, OpenError> {
        let stream = KeyStream::of(nats).await?;
        // Asked first, so that nothing is made while NATS is away.
        stream.setup().await?;
        let path = directory.to_owned();
        let _alone = tokio::task::spawn_blocking(move || lock(&path));
        let _alone = _alone.await.map_err(|error| OpenError::Io {
            path: directory.to_owned(),
            source: io::Error::other(error),
        })??;
        let place = RingPlace::new(directory, GROUP, provider.provider(Arc::clone(&clock))?);
        make(&stream, directory, &place, &rng, &*clock).await?;
        Self::open_with(directory, nats, provider, rng, clock).await
    }

    /// Returns what seals users' values and erases users.
    #[must_use]
    pub fn vault(&self) -> UserVault {
        self.vault.clone()
    }

    /// Returns the keys that sign statements of proofs.
    #[must_use]
    pub fn assertion_keys(&self) -> AssertionKeys {
        self.assertion_keys.clone()
    }

    /// Returns the key that signs statements of proofs now. Whoever serves for long takes
    /// [`assertion_keys`](Self::assertion_keys), which follows rotations.
    ///
    /// # Panics
    /// Never: keys are not opened without one that signs.
    #[must_use]
    #[expect(clippy::expect_used, reason = "keys are not opened without one that signs")]
    pub fn signing_key(&self) -> Arc<AssertionKey> {
        self.assertion_keys.signing().expect("a key that signs")
    }

    /// Returns what rotates these keys. The directory must be one that can be written to; replicas elsewhere need a copy
    /// of it after every step.
    #[must_use]
    pub fn rotation(&self) -> KeyRotation {
        self.rotation.clone()
    }
}

/// Opens the key ring of `directory` and looks whether the stream belongs to it.
pub(crate) async fn shared_ring(
    stream: &KeyStream,
    directory: &Path,
    place: &RingPlace,
    rng: Option<Arc<dyn Rng>>,
) -> Result<(KeyRing, StreamSetup), OpenError> {
    closed_to_others(directory)?;
    let not_ready = |what: String| OpenError::NotReady { what, command: INIT };
    for kind in [KEK, INDEX_KEY, ASSERTION_KEYS] {
        if present(directory, kind.name)?.is_none() {
            return Err(not_ready(format!("{} is not there", kind.path(directory).display())));
        }
    }
    let ring = place.open(rng).await?;
    let ring = ring.ok_or_else(|| not_ready("the key-encryption key is not there".to_owned()))?;
    let setup = stream.setup().await?;
    let setup = setup.ok_or_else(|| not_ready(format!("{} is not there", stream.place())))?;
    setup.check(stream, directory, &ring)?;
    Ok((ring, setup))
}

/// Looks whether others may replace files. Where the sticky bit is set, as it is where secrets are mounted, they may
/// make files but not replace them.
fn closed_to_others(directory: &Path) -> Result<(), OpenError> {
    let mode = fs::metadata(directory).map_err(OpenError::io(directory))?.permissions().mode();
    if mode & 0o022 != 0 && mode & 0o1000 == 0 {
        let path = directory.to_owned();
        return Err(OpenError::Exposed { path, mode: mode & 0o777, wanted: 0o700 });
    }
    Ok(())
}

/// Makes the directory if need be, and keeps others of this machine from making keys in it at the same time.
fn lock(directory: &Path) -> Result<File, OpenError> {
    prepare(directory)?;
    let file = File::open(directory).map_err(OpenError::io(directory))?;
    file.lock().map_err(OpenError::io(directory))?;
    Ok(file)
}

/// Makes what is missing, in the order of the single process: the index key tells that all was made.
async fn make(
    stream: &KeyStream,
    directory: &Path,
    place: &RingPlace,
    rng: &Arc<dyn Rng>,
    clock: &dyn Clock,
) -> Result<(), OpenError> {
    let complete = present(directory, INDEX_KEY.name)?;
    let local = present(directory, store::NAME)?;
    let signing = present(directory, ASSERTION_KEYS.name)?;
    let setup = stream.setup().await?;
    let in_nats = setup.is_some().then(|| stream.place().into());
    if setup.is_none()
        && let Some(local) = local
    {
        let what = format!("{} is not there, but {} is", stream.place(), local.display());
        return Err(OpenError::NotReady { what, command: "log copy" });
    }
    let ring = match place.open(Some(Arc::clone(rng))).await? {
        Some(ring) => ring,
        None => {
            not_lost(&KEK.path(directory), complete.clone().or(signing.clone()).or(in_nats))?;
            place.create(Arc::clone(rng)).await?
        }
    };
    let setup = match setup {
        Some(setup) => setup,
        None => {
            not_lost(Path::new(&stream.place()), complete.clone())?;
            stream.make(&StreamSetup::new(new_id(&**rng), &ring, clock.now())?).await?
        }
    };
    setup.check(stream, directory, &ring)?;
    if signing.is_none() {
        not_lost(&ASSERTION_KEYS.path(directory), complete.clone())?;
        create_signing_key(directory, &ring)?;
    }
    if complete.is_none() {
        if !stream.is_unused().await? {
            not_lost(&INDEX_KEY.path(directory), Some(stream.place().into()))?;
        }
        create_index_key(directory, &ring, &setup.id, &**rng)?;
    }
    Ok(())
}
