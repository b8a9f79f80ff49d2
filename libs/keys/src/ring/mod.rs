//! The key ring: the versions of the key-encryption key.
//!
//! One version wraps, usually the newest; every version of the ring unwraps. What is wrapped has no room for the number of
//! a version, and needs none: the few there are, are tried one after the other, and only the right one opens.

mod file;
mod place;
#[cfg(test)]
mod tests;

use std::{fmt, sync::Arc};

use countersign_core::{Rng, SecretBytes};
use countersign_crypto::{DataKey, open_bytes, seal_bytes};
use parking_lot::RwLock;

#[cfg(feature = "fuzzing")]
pub(crate) use file::RingFile;
pub(crate) use file::{GROUP, KEK, MAX_VERSIONS, OWNER};
pub(crate) use place::{RingPlace, immediately};

use crate::{KeyEncryption, VaultError};

/// The key ring in memory.
pub(crate) struct KeyRing {
    versions: RwLock<Arc<Versions>>,
    /// Absent where keys are only read.
    rng: Option<Arc<dyn Rng>>,
}

/// The keys of a ring, the oldest first.
#[derive(Clone)]
pub(crate) struct Versions {
    keys: Vec<(u32, DataKey)>,
    /// The version that wraps.
    wrapping: u32,
    /// Tells the file they were read from from others.
    hash: [u8; 32],
}

impl Versions {
    /// Takes keys over, of which there is one at least; the newest wraps.
    fn new(keys: Vec<(u32, DataKey)>, hash: [u8; 32]) -> Self {
        let wrapping = keys.last().map_or(0, |(number, _)| *number);
        Self { keys, wrapping, hash }
    }

    fn newest(&self) -> u32 {
        self.keys.last().map_or(0, |(number, _)| *number)
    }
}

/// Why a ring wraps nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum WrapsNothing {
    #[error("the key-encryption key was opened for reading only")]
    ReadingOnly,
    #[error("the key-encryption key that wraps is not in the ring")]
    NotThere,
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyRing([redacted])")
    }
}

impl KeyRing {
    fn new(versions: Versions, rng: Option<Arc<dyn Rng>>) -> Self {
        Self { versions: RwLock::new(Arc::new(versions)), rng }
    }

    /// Makes a ring of one version.
    #[cfg(test)]
    pub(crate) fn of(key: DataKey, rng: Option<Arc<dyn Rng>>) -> Self {
        Self::new(Versions::new(vec![(1, key)], [0; 32]), rng)
    }

    /// Adds a version that wraps from here on.
    #[cfg(test)]
    pub(crate) fn add(&self, key: DataKey) {
        let versions = self.now();
        let mut keys = versions.keys.clone();
        keys.push((versions.newest() + 1, key));
        self.replace(Versions::new(keys, [0; 32]));
    }

    fn now(&self) -> Arc<Versions> {
        Arc::clone(&self.versions.read())
    }

    fn replace(&self, versions: Versions) {
        *self.versions.write() = Arc::new(versions);
    }

    /// Takes other keys. Which version wraps stays as it is, if that version is still there.
    fn exchange(&self, mut versions: Versions) {
        let mut now = self.versions.write();
        if versions.keys.iter().any(|(number, _)| *number == now.wrapping) {
            versions.wrapping = now.wrapping;
        }
        *now = Arc::new(versions);
    }

    /// Returns the newest version.
    pub(crate) fn newest(&self) -> u32 {
        self.now().newest()
    }

    /// Returns the version that wraps.
    pub(crate) fn wrapping(&self) -> u32 {
        self.now().wrapping
    }

    /// Returns the numbers of all versions, the oldest first.
    pub(crate) fn numbers(&self) -> Vec<u32> {
        self.now().keys.iter().map(|(number, _)| *number).collect()
    }

    /// Lets `version` wrap from here on.
    pub(crate) fn wrap_under(&self, version: u32) {
        let mut versions = self.versions.write();
        if versions.wrapping != version {
            *versions = Arc::new(Versions { wrapping: version, ..Versions::clone(&versions) });
        }
    }

    /// Says whether every version of `other` is a version of this ring, with the same key.
    pub(crate) fn contains(&self, other: &Self) -> bool {
        let (ours, theirs) = (self.now(), other.now());
        theirs.keys.iter().all(|(number, key)| {
            let own = ours.keys.iter().find(|(own, _)| own == number);
            own.is_some_and(|(_, own)| {
                countersign_crypto::constant_time_eq(own.expose(), key.expose())
            })
        })
    }

    /// Opens what was wrapped, and tells under which version.
    pub(crate) fn unwrap_and_tell(
        &self,
        associated: &[u8],
        wrapped: &[u8],
    ) -> Result<(u32, SecretBytes), VaultError> {
        let versions = self.now();
        let likeliest = versions.keys.iter().filter(|(number, _)| *number == versions.wrapping);
        let others = versions.keys.iter().rev();
        let others = others.filter(|(number, _)| *number != versions.wrapping);
        let mut refusal = VaultError::Unavailable(Arc::new(WrapsNothing::NotThere));
        for (number, key) in likeliest.chain(others) {
            match open_bytes(key, associated, wrapped) {
                Ok(opened) => return Ok((*number, opened)),
                Err(error) => refusal = VaultError::Damaged(Arc::new(error)),
            }
        }
        Err(refusal)
    }
}

impl KeyEncryption for KeyRing {
    fn wrap(&self, associated: &[u8], key: &[u8]) -> Result<Vec<u8>, VaultError> {
        let nothing = |why| VaultError::Unavailable(Arc::new(why));
        let rng = self.rng.as_ref().ok_or_else(|| nothing(WrapsNothing::ReadingOnly))?;
        let versions = self.now();
        let wrapping = versions.keys.iter().find(|(number, _)| *number == versions.wrapping);
        let (_, wrapping) = wrapping.ok_or_else(|| nothing(WrapsNothing::NotThere))?;
        Ok(seal_bytes(wrapping, associated, key, &**rng))
    }

    fn unwrap(&self, associated: &[u8], wrapped: &[u8]) -> Result<SecretBytes, VaultError> {
        Ok(self.unwrap_and_tell(associated, wrapped)?.1)
    }
}
