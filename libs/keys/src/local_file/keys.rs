//! Opening the keys of a directory, and making them at the first start.

use std::{
    fmt,
    fs::{self, DirBuilder},
    io,
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use countersign_core::{Clock, Rng};

use super::wrapped::{
    ASSERTION_KEYS, INDEX_KEY, create_index_key, create_signing_key, open_index_key,
    open_signing_keys,
};
use crate::{
    AssertionKey, AssertionKeys, KeyProviderChoice, KeyRotation, OpenError, UserVault,
    assertion::SystemClock,
    frame,
    ring::{KEK, KeyRing, OWNER, RingPlace, immediately},
    rotation::{Parts, RotatedStore},
    store::{self, KeyStore, SlotFile},
};

/// The keys of a directory.
pub struct LocalKeys {
    vault: UserVault,
    assertion_keys: AssertionKeys,
    rotation: KeyRotation,
}

impl fmt::Debug for LocalKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = &self.assertion_keys;
        f.debug_struct("LocalKeys").field("assertion_keys", keys).finish_non_exhaustive()
    }
}

impl LocalKeys {
    /// Opens the keys in `directory`, and makes them, and the directory, at the first start. What a crash left undone is
    /// completed. Only one process may do so at a time: whoever calls holds the lock of the data directory.
    ///
    /// # Errors
    /// Says which file is missing, damaged, too new, open to others or from elsewhere, and what to do.
    pub fn open(directory: &Path, rng: Arc<dyn Rng>) -> Result<Self, OpenError> {
        let place = RingPlace::local(directory, OWNER);
        let ring = immediately(ring(directory, &place, &rng))?;
        Self::under(directory, place, ring, rng, Arc::new(SystemClock))
    }

    /// Opens or makes the keys in `directory` as [`open`](Self::open) does, under a key-encryption key that `provider`
    /// keeps. It is asked once, here, and again when the key-encryption key is rotated.
    ///
    /// # Errors
    /// As [`open`](Self::open); and says that the provider is away, refuses, or is another than the one that keeps the key.
    pub async fn open_with(
        directory: &Path,
        provider: &KeyProviderChoice,
        rng: Arc<dyn Rng>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, OpenError> {
        let place = RingPlace::new(directory, OWNER, provider.provider(Arc::clone(&clock))?);
        let ring = ring(directory, &place, &rng).await?;
        let path = directory.to_owned();
        let opened =
            tokio::task::spawn_blocking(move || Self::under(&path, place, ring, rng, clock));
        opened.await.unwrap_or_else(|error| {
            Err(OpenError::Io { path: directory.to_owned(), source: io::Error::other(error) })
        })
    }

    fn under(
        directory: &Path,
        place: RingPlace,
        ring: KeyRing,
        rng: Arc<dyn Rng>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, OpenError> {
        let ring = Arc::new(ring);
        let present = |name| present(directory, name);
        let complete = present(INDEX_KEY.name)?;
        if present(store::NAME)?.is_none() {
            not_lost(&directory.join(store::NAME), complete.clone())?;
            SlotFile::create(directory, &*rng)?;
        }
        let file = SlotFile::open(directory, true)?;
        if present(ASSERTION_KEYS.name)?.is_none() {
            not_lost(&ASSERTION_KEYS.path(directory), complete.clone())?;
            create_signing_key(directory, &*ring)?;
        }
        let signing_keys = open_signing_keys(directory, &*ring)?;
        // Before anything is changed in the store: does it belong to this key?
        let index_key =
            complete.map(|_| open_index_key(directory, &*ring, file.id())).transpose()?;
        let store = KeyStore::open(file, Arc::clone(&ring) as _, Arc::clone(&rng))?;
        let index_key = match index_key {
            Some(index_key) => index_key,
            None if store.is_empty() => create_index_key(directory, &*ring, store.id(), &*rng)?,
            None => {
                let beside = directory.join(store::NAME);
                return Err(OpenError::Missing { path: INDEX_KEY.path(directory), beside });
            }
        };
        let assertion_keys = AssertionKeys::new(signing_keys, Arc::clone(&clock));
        let store = Arc::new(store);
        let rotation = KeyRotation::new(Parts {
            directory: directory.to_owned(),
            place: Arc::new(place),
            ring,
            store: RotatedStore::Local(Arc::clone(&store)),
            assertion_keys: assertion_keys.clone(),
            rng: Arc::clone(&rng),
            clock,
        });
        Ok(Self { vault: UserVault::local(index_key, store, rng), assertion_keys, rotation })
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

    /// Returns what rotates these keys.
    #[must_use]
    pub fn rotation(&self) -> KeyRotation {
        self.rotation.clone()
    }
}

/// Opens the key ring, or makes it at the first start.
async fn ring(
    directory: &Path,
    place: &RingPlace,
    rng: &Arc<dyn Rng>,
) -> Result<KeyRing, OpenError> {
    prepare(directory)?;
    if let Some(ring) = place.open(Some(Arc::clone(rng))).await? {
        return Ok(ring);
    }
    for name in [INDEX_KEY.name, store::NAME, ASSERTION_KEYS.name] {
        not_lost(&KEK.path(directory), present(directory, name)?)?;
    }
    place.create(Arc::clone(rng)).await
}

/// Returns the path of a file if it is there.
pub(crate) fn present(directory: &Path, name: &str) -> Result<Option<PathBuf>, OpenError> {
    let path = directory.join(name);
    match path.try_exists() {
        Ok(exists) => Ok(exists.then_some(path)),
        Err(source) => Err(OpenError::Io { path, source }),
    }
}

/// Makes the directory, or sees to it that nobody else can replace files in it.
pub(crate) fn prepare(directory: &Path) -> Result<(), OpenError> {
    let failed = |source| OpenError::Io { path: directory.to_owned(), source };
    match fs::metadata(directory) {
        Ok(found) => {
            let mode = found.permissions().mode() & 0o777;
            if mode & 0o022 != 0 {
                let path = directory.to_owned();
                return Err(OpenError::Exposed { path, mode, wanted: 0o700 });
            }
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed)?;
            let parent = directory.parent().filter(|parent| *parent != Path::new(""));
            frame::sync_directory(parent.unwrap_or(Path::new("."))).map_err(failed)
        }
        Err(source) => Err(failed(source)),
    }
}

/// Says that a file was lost if another one, made after it, is there.
pub(crate) fn not_lost(path: &Path, beside: Option<PathBuf>) -> Result<(), OpenError> {
    match beside {
        Some(beside) => Err(OpenError::Missing { path: path.to_owned(), beside }),
        None => Ok(()),
    }
}
