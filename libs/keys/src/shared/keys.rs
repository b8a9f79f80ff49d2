//! Opening the keys that all replicas share, and making them.

use std::{
    fmt,
    fs::{self, File},
    io,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    sync::Arc,
};

use countersign_core::Rng;
use countersign_nats::Nats;

use super::{KeyStream, SharedStore, StreamSetup};
use crate::{
    AssertionKey, OpenError, UserVault,
    local_file::{
        ASSERTION_KEYS, GROUP, INDEX_KEY, KEK, Kek, create_index_key, create_signing_key, not_lost,
        open_index_key, open_signing_key, prepare, present,
    },
    store::{self, new_id},
};

/// What makes the keys.
const INIT: &str = "init";

/// The keys of services that are processes of their own.
///
/// All replicas have the same directory, which they only read: the files `kek`, `index-key` and `assertion-keys`, for
/// their owner and its group alone. Users' data keys lie in the stream `{prefix}_keys`.
pub struct SharedKeys {
    vault: UserVault,
    signing_key: Arc<AssertionKey>,
}

impl fmt::Debug for SharedKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedKeys").field("signing_key", &self.signing_key).finish_non_exhaustive()
    }
}

impl SharedKeys {
    /// Opens keys that are there, and changes nothing. Must be called in a runtime, which then hears who is erased
    /// elsewhere.
    ///
    /// # Errors
    /// Says what is missing, damaged, too new, open to others or from elsewhere, and what to do; or that NATS is away.
    pub async fn open(directory: &Path, nats: &Nats, rng: Arc<dyn Rng>) -> Result<Self, OpenError> {
        let stream = KeyStream::of(nats).await?;
        let (kek, setup) = shared_kek(&stream, directory, Arc::clone(&rng)).await?;
        let index_key = open_index_key(directory, &kek, &setup.id)?;
        let signing_key = Arc::new(open_signing_key(directory, &kek)?);
        let store = SharedStore::open(stream, Arc::new(kek), Arc::clone(&rng)).await?;
        Ok(Self { vault: UserVault::shared(index_key, store, rng), signing_key })
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
        let stream = KeyStream::of(nats).await?;
        // Asked first, so that nothing is made while NATS is away.
        stream.setup().await?;
        let path = directory.to_owned();
        let _alone = tokio::task::spawn_blocking(move || lock(&path));
        let _alone = _alone.await.map_err(|error| OpenError::Io {
            path: directory.to_owned(),
            source: io::Error::other(error),
        })??;
        make(&stream, directory, &rng).await?;
        Self::open(directory, nats, rng).await
    }

    /// Returns what seals users' values and erases users.
    #[must_use]
    pub fn vault(&self) -> UserVault {
        self.vault.clone()
    }

    /// Returns the key that signs statements of proofs.
    #[must_use]
    pub fn signing_key(&self) -> Arc<AssertionKey> {
        Arc::clone(&self.signing_key)
    }
}

/// Opens the key-encryption key of `directory` and looks whether the stream belongs to it.
pub(crate) async fn shared_kek(
    stream: &KeyStream,
    directory: &Path,
    rng: Arc<dyn Rng>,
) -> Result<(Kek, StreamSetup), OpenError> {
    closed_to_others(directory)?;
    let not_ready = |what: String| OpenError::NotReady { what, command: INIT };
    for kind in [KEK, INDEX_KEY, ASSERTION_KEYS] {
        if present(directory, kind.name)?.is_none() {
            return Err(not_ready(format!("{} is not there", kind.path(directory).display())));
        }
    }
    let kek = Kek::open(directory, GROUP, Some(rng))?;
    let kek = kek.ok_or_else(|| not_ready("the key-encryption key is not there".to_owned()))?;
    let setup = stream.setup().await?;
    let setup = setup.ok_or_else(|| not_ready(format!("{} is not there", stream.place())))?;
    setup.check(stream, directory, &kek)?;
    Ok((kek, setup))
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
async fn make(stream: &KeyStream, directory: &Path, rng: &Arc<dyn Rng>) -> Result<(), OpenError> {
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
    let kek = match Kek::open(directory, GROUP, Some(Arc::clone(rng)))? {
        Some(kek) => kek,
        None => {
            not_lost(&KEK.path(directory), complete.clone().or(signing.clone()).or(in_nats))?;
            Kek::create(directory, Arc::clone(rng))?
        }
    };
    let setup = match setup {
        Some(setup) => setup,
        None => {
            not_lost(Path::new(&stream.place()), complete.clone())?;
            stream.make(&StreamSetup::new(new_id(&**rng), &kek)?).await?
        }
    };
    setup.check(stream, directory, &kek)?;
    if signing.is_none() {
        not_lost(&ASSERTION_KEYS.path(directory), complete.clone())?;
        create_signing_key(directory, &kek)?;
    }
    if complete.is_none() {
        if !stream.is_unused().await? {
            not_lost(&INDEX_KEY.path(directory), Some(stream.place().into()))?;
        }
        create_index_key(directory, &kek, &setup.id, &**rng)?;
    }
    Ok(())
}
