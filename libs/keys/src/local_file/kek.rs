//! The key-encryption key in a file.

use std::{fmt, fs::File, io, os::unix::fs::PermissionsExt as _, path::Path, sync::Arc};

use countersign_core::{Rng, SecretBytes};
use countersign_crypto::{DataKey, open_bytes, seal_bytes};

use crate::{KeyEncryption, KeyProblem, OpenError, VaultError, frame::Kind};

pub(crate) const KEK: Kind = Kind { name: "kek", magic: b"CSGN-KEK", format: 1 };

/// Who may read the file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Access {
    /// Permission bits that must not be there.
    refused: u32,
    /// Permission bits that are right.
    wanted: u32,
}

/// Its owner alone.
pub(crate) const OWNER: Access = Access { refused: 0o077, wanted: 0o600 };
/// Its group too, which is how a platform hands a secret to a process that does not own the file.
pub(crate) const GROUP: Access = Access { refused: 0o037, wanted: 0o440 };

/// A key-encryption key in memory.
pub(crate) struct Kek {
    key: DataKey,
    /// Absent where keys are only read.
    rng: Option<Arc<dyn Rng>>,
}

/// Why this key wraps nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key-encryption key was opened for reading only")]
struct ReadingOnly;

impl fmt::Debug for Kek {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kek([redacted])")
    }
}

impl Kek {
    pub(crate) const fn new(key: DataKey, rng: Option<Arc<dyn Rng>>) -> Self {
        Self { key, rng }
    }

    /// Reads the key of `directory`; `None` if there is no file.
    pub(crate) fn open(
        directory: &Path,
        access: Access,
        rng: Option<Arc<dyn Rng>>,
    ) -> Result<Option<Self>, OpenError> {
        let path = KEK.path(directory);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(OpenError::Io { path, source }),
        };
        let mode = file.metadata().map_err(OpenError::io(&path))?.permissions().mode() & 0o777;
        if mode & access.refused != 0 {
            return Err(OpenError::Exposed { path, mode, wanted: access.wanted });
        }
        let content = KEK.read(&path, &file)?;
        let key = <[u8; 32]>::try_from(content.as_slice()).map_err(|_| {
            let what = format!("its key has {} bytes instead of 32", content.len());
            OpenError::Damaged(KeyProblem::new(path.display().to_string(), what))
        })?;
        Ok(Some(Self::new(DataKey::from_bytes(key), rng)))
    }

    /// Draws a key and puts it into `directory`.
    pub(crate) fn create(directory: &Path, rng: Arc<dyn Rng>) -> Result<Self, OpenError> {
        let key = DataKey::generate(&*rng);
        KEK.write(directory, key.expose())?;
        Ok(Self::new(key, Some(rng)))
    }
}

impl KeyEncryption for Kek {
    fn wrap(&self, associated: &[u8], key: &[u8]) -> Result<Vec<u8>, VaultError> {
        match &self.rng {
            Some(rng) => Ok(seal_bytes(&self.key, associated, key, &**rng)),
            None => Err(VaultError::Unavailable(Arc::new(ReadingOnly))),
        }
    }

    fn unwrap(&self, associated: &[u8], wrapped: &[u8]) -> Result<SecretBytes, VaultError> {
        open_bytes(&self.key, associated, wrapped)
            .map_err(|error| VaultError::Damaged(Arc::new(error)))
    }
}
