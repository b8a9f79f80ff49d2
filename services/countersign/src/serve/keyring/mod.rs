//! The installation's own keys, as whoever runs it sees and rotates them.

mod api;
mod chronicle;
mod observed;
mod offline;
mod refusal;
mod rewrapping;
mod shown;
mod unasked;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use countersign_keys::{
    AssertionAlgorithm, AssertionKeys, AssertionRotation, KeyProviderChoice, KeyRotation,
    RotationError, RotationProgress,
};
use tokio::sync::{Mutex, Notify};

use super::assertion::VALID_FOR;

pub(super) use api::KeyApi;
pub(super) use chronicle::Chronicle;
pub(crate) use offline::OfflineKeys;
pub(super) use unasked::unasked;

/// The installation's own keys. Cheap to clone.
#[derive(Clone)]
pub struct Keyring {
    inner: Arc<Inner>,
}

struct Inner {
    rotation: KeyRotation,
    assertion_keys: AssertionKeys,
    sharing: Sharing,
    /// The newest version of the key-encryption key under which everything was wrapped here; 0 for none.
    complete: AtomicU32,
    /// Held from looking until what follows from it is done, so that two who look at once do not both do it.
    acting: Mutex<()>,
    /// Tells whoever wraps anew that there is something to do.
    begun: Notify,
}

/// Who has the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sharing {
    /// This process alone: it rotates them itself.
    Alone,
    /// Replicas, which read them.
    Shared,
}

/// Why keys are not rotated.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyringError {
    /// They are not those any more that the caller goes out from.
    #[error("the keys have changed: look at them again")]
    Changed,
    /// Replicas share them.
    #[error("replicas share these keys and only read them")]
    Shared,
    /// They cannot be rotated.
    #[error(transparent)]
    Rotation(#[from] RotationError),
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring").field("rotation", &self.inner.rotation).finish_non_exhaustive()
    }
}

impl Keyring {
    pub(super) fn new(
        rotation: KeyRotation,
        assertion_keys: AssertionKeys,
        sharing: Sharing,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                rotation,
                assertion_keys,
                sharing,
                complete: AtomicU32::new(0),
                acting: Mutex::new(()),
                begun: Notify::new(),
            }),
        }
    }

    /// Returns whether replicas share the keys.
    pub(crate) fn is_shared(&self) -> bool {
        self.inner.sharing == Sharing::Shared
    }

    /// Returns the newest version of the key-encryption key.
    pub(crate) fn newest_version(&self) -> u32 {
        self.inner.rotation.versions().last().copied().unwrap_or_default()
    }

    /// Returns whether older versions of the key-encryption key are in the ring.
    pub(crate) fn has_older_versions(&self) -> bool {
        self.inner.rotation.versions().len() > 1
    }

    /// Returns whether everything was wrapped under the newest version here.
    pub(crate) fn is_complete(&self) -> bool {
        self.inner.complete.load(Ordering::Acquire) == self.newest_version()
    }

    /// Puts a new version of the key-encryption key into the ring and returns its number. If `newest` is not the newest any
    /// more but the one before, that was done already.
    pub(crate) async fn begin(&self, newest: Option<u32>) -> Result<u32, KeyringError> {
        let _alone = self.inner.acting.lock().await;
        let now = self.newest_version();
        match newest {
            Some(known) if known.checked_add(1) == Some(now) => return Ok(now),
            Some(known) if known != now => return Err(KeyringError::Changed),
            Some(_) | None => {}
        }
        let version = self.inner.rotation.begin_kek_rotation().await?;
        self.inner.begun.notify_one();
        Ok(version)
    }

    /// Wraps everything anew that is not under the newest version.
    pub(crate) async fn run(
        &self,
        stop: impl Fn() -> bool + Send + Sync,
    ) -> Result<RotationProgress, RotationError> {
        let progress = self.inner.rotation.run(&stop).await?;
        // Whoever was stopped has come to no end, and begins again at the next start.
        if progress.done >= progress.total && !stop() {
            self.inner.complete.store(progress.version, Ordering::Release);
        }
        Ok(progress)
    }

    /// Takes all versions but the newest out of the ring, and returns which.
    pub(crate) async fn retire(&self) -> Result<Vec<u32>, RotationError> {
        let _alone = self.inner.acting.lock().await;
        self.inner.rotation.retire().await
    }

    /// Lets the provider wrap the ring anew.
    pub(crate) async fn rewrap(&self) -> Result<(), RotationError> {
        let _alone = self.inner.acting.lock().await;
        self.inner.rotation.rewrap_ring().await
    }

    /// Gives the ring to another provider.
    pub(crate) async fn move_to(&self, provider: &KeyProviderChoice) -> Result<(), RotationError> {
        self.inner.rotation.move_ring(provider).await
    }

    /// Draws a new key that signs statements, and returns its id. If `newest` is not the newest any more but the one before,
    /// that was done already.
    pub(crate) async fn rotate_assertion_key(
        &self,
        newest: Option<&str>,
        algorithm: AssertionAlgorithm,
        overlap: Duration,
    ) -> Result<String, KeyringError> {
        let _alone = self.inner.acting.lock().await;
        if let Some(known) = newest {
            let published = self.inner.assertion_keys.published();
            match published.as_slice() {
                [.., last] if last.kid == known => {}
                [.., before, last] if before.kid == known && last.algorithm == algorithm => {
                    return Ok(last.kid.clone());
                }
                _ => return Err(KeyringError::Changed),
            }
        }
        let rotation = AssertionRotation { algorithm, overlap, statements_live: VALID_FOR };
        let kid = self.inner.rotation.rotate_assertion_key(rotation).await?;
        tracing::info!(kid, algorithm = algorithm.name(), "a new signing key is published");
        Ok(kid)
    }
}
