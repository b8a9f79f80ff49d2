//! Opening the keys of a directory, and making them at the first start.

use std::{
    fmt,
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use countersign_core::{Rng, SecretBytes};
use countersign_crypto::IndexKey;

use super::kek::{KEK, Kek, OWNER};
use crate::{
    AssertionKey, KeyEncryption, KeyProblem, OpenError, UserVault, VaultError,
    frame::{self, Kind},
    store::{self, KeyStore, SlotFile},
};

pub(crate) const ASSERTION_KEYS: Kind =
    Kind { name: "assertion-keys", magic: b"CSGN-SIG", format: 1 };
pub(crate) const INDEX_KEY: Kind = Kind { name: "index-key", magic: b"CSGN-IDX", format: 1 };
/// Names the algorithm of a signing key in the file.
const ES256: u8 = 1;

/// The keys of a directory.
pub struct LocalKeys {
    vault: UserVault,
    signing_key: Arc<AssertionKey>,
}

impl fmt::Debug for LocalKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalKeys").field("signing_key", &self.signing_key).finish_non_exhaustive()
    }
}

impl LocalKeys {
    /// Opens the keys in `directory`, and makes them, and the directory, at the first start. What a crash left undone is
    /// completed. Only one process may do so at a time: whoever calls holds the lock of the data directory.
    ///
    /// # Errors
    /// Says which file is missing, damaged, too new, open to others or from elsewhere, and what to do.
    pub fn open(directory: &Path, rng: Arc<dyn Rng>) -> Result<Self, OpenError> {
        prepare(directory)?;
        let present = |name| present(directory, name);
        let complete = present(INDEX_KEY.name)?;
        let after_kek = match (&complete, present(store::NAME)?) {
            (Some(last), _) => Some(last.clone()),
            (None, Some(store)) => Some(store),
            (None, None) => present(ASSERTION_KEYS.name)?,
        };
        let kek = match Kek::open(directory, OWNER, Some(Arc::clone(&rng)))? {
            Some(kek) => kek,
            None => {
                not_lost(&KEK.path(directory), after_kek)?;
                Kek::create(directory, Arc::clone(&rng))?
            }
        };
        let kek: Arc<dyn KeyEncryption> = Arc::new(kek);

        if present(store::NAME)?.is_none() {
            not_lost(&directory.join(store::NAME), complete.clone())?;
            SlotFile::create(directory, &*rng)?;
        }
        let file = SlotFile::open(directory, true)?;
        if present(ASSERTION_KEYS.name)?.is_none() {
            not_lost(&ASSERTION_KEYS.path(directory), complete.clone())?;
            create_signing_key(directory, &*kek)?;
        }
        let signing_key = Arc::new(open_signing_key(directory, &*kek)?);
        // Before anything is changed in the store: does it belong to this key?
        let index_key =
            complete.map(|_| open_index_key(directory, &*kek, file.id())).transpose()?;
        let store = KeyStore::open(file, Arc::clone(&kek), Arc::clone(&rng))?;
        let index_key = match index_key {
            Some(index_key) => index_key,
            None if store.is_empty() => create_index_key(directory, &*kek, store.id(), &*rng)?,
            None => {
                let beside = directory.join(store::NAME);
                return Err(OpenError::Missing { path: INDEX_KEY.path(directory), beside });
            }
        };
        Ok(Self { vault: UserVault::local(index_key, store, rng), signing_key })
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

pub(crate) fn create_index_key(
    directory: &Path,
    kek: &dyn KeyEncryption,
    store_id: &[u8],
    rng: &dyn Rng,
) -> Result<IndexKey, OpenError> {
    let key = IndexKey::generate(rng);
    write_wrapped(directory, INDEX_KEY, kek, store_id, key.expose())?;
    Ok(key)
}

pub(crate) fn open_index_key(
    directory: &Path,
    kek: &dyn KeyEncryption,
    store_id: &[u8],
) -> Result<IndexKey, OpenError> {
    let key = read_wrapped(directory, INDEX_KEY, kek, store_id)?;
    let key = <[u8; 32]>::try_from(key.expose()).map_err(|_| {
        let place = INDEX_KEY.path(directory);
        OpenError::Damaged(KeyProblem::new(place.display().to_string(), "its key has not 32 bytes"))
    })?;
    Ok(IndexKey::from_bytes(key))
}

pub(crate) fn create_signing_key(
    directory: &Path,
    kek: &dyn KeyEncryption,
) -> Result<(), OpenError> {
    let path = ASSERTION_KEYS.path(directory);
    let document = AssertionKey::generate().map_err(io::Error::other);
    let document = document.map_err(OpenError::io(path))?;
    let content = [&[ES256], document.expose()].concat();
    write_wrapped(directory, ASSERTION_KEYS, kek, b"", SecretBytes::new(content).expose())
}

pub(crate) fn open_signing_key(
    directory: &Path,
    kek: &dyn KeyEncryption,
) -> Result<AssertionKey, OpenError> {
    let content = read_wrapped(directory, ASSERTION_KEYS, kek, b"")?;
    let key = match content.expose().split_first() {
        Some((&ES256, document)) => AssertionKey::from_pkcs8(document).ok(),
        Some(_) | None => None,
    };
    key.ok_or_else(|| {
        let place = ASSERTION_KEYS.path(directory);
        OpenError::Damaged(KeyProblem::new(
            place.display().to_string(),
            "it holds no key for ES256",
        ))
    })
}

/// Returns what a file's content is bound to when it is wrapped.
fn associated(kind: Kind, context: &[u8]) -> Vec<u8> {
    [b"countersign ", kind.name.as_bytes(), b"\0", context].concat()
}

fn write_wrapped(
    directory: &Path,
    kind: Kind,
    kek: &dyn KeyEncryption,
    context: &[u8],
    content: &[u8],
) -> Result<(), OpenError> {
    let wrapped = kek.wrap(&associated(kind, context), content);
    let wrapped = wrapped.map_err(|error| unwrapping(directory, kind, error))?;
    kind.write(directory, &wrapped)
}

fn read_wrapped(
    directory: &Path,
    kind: Kind,
    kek: &dyn KeyEncryption,
    context: &[u8],
) -> Result<SecretBytes, OpenError> {
    let path = kind.path(directory);
    let file = File::open(&path).map_err(OpenError::io(&path))?;
    let wrapped = kind.read(&path, &file)?;
    kek.unwrap(&associated(kind, context), &wrapped)
        .map_err(|error| unwrapping(directory, kind, error))
}

fn unwrapping(directory: &Path, kind: Kind, error: VaultError) -> OpenError {
    let path = kind.path(directory);
    match error {
        // The file's own checksum is right: it is the keys that do not fit.
        VaultError::Damaged(_) | VaultError::Erased => {
            OpenError::Foreign { path, kek: KEK.path(directory) }
        }
        VaultError::Unavailable(source) => OpenError::Io { path, source: io::Error::other(source) },
    }
}
