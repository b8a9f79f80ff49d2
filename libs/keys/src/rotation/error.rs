//! Why keys are not rotated.

use crate::{OpenError, SignError, VaultError};

/// Why keys are not rotated.
#[derive(Debug, thiserror::Error)]
pub enum RotationError {
    /// Somebody else rotates the same keys.
    #[error("somebody else rotates these keys: try again when they are done")]
    Busy,
    /// The ring has no room for one more version.
    #[error("the ring has {most} versions of the key-encryption key: retire the older ones first")]
    RingFull {
        /// How many there may be.
        most: usize,
    },
    /// So many signing keys are published that there is no room for one more.
    #[error(
        "{most} signing keys are published: wait until statements of the older ones have expired, or take shorter overlaps"
    )]
    TooManySigning {
        /// How many there may be.
        most: usize,
    },
    /// Something is still wrapped under an older version.
    #[error(
        "{count} keys are not wrapped under version {version} of the key-encryption key: run the rotation to its end first"
    )]
    StillWrapped {
        /// How many.
        count: u64,
        /// The newest version.
        version: u32,
    },
    /// Replicas may not have noticed yet which version wraps.
    #[error("replicas may not have noticed the newest version yet: try again in {seconds} s")]
    TooSoon {
        /// How long to wait.
        seconds: u64,
    },
    /// Keys cannot be read or written.
    #[error(transparent)]
    Keys(#[from] OpenError),
    /// No signing key can be drawn.
    #[error(transparent)]
    Signing(#[from] SignError),
}

impl From<VaultError> for RotationError {
    fn from(error: VaultError) -> Self {
        Self::Keys(error.into())
    }
}
