//! How far a rotation has come.

use parking_lot::Mutex;

/// How far wrapping anew has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RotationProgress {
    /// How many users' keys are known to be under `version`.
    pub done: u64,
    /// How many users have a key; 0 if nobody has counted yet.
    pub total: u64,
    /// The newest version of the key-encryption key.
    pub version: u32,
}

/// Progress that one notes and others see.
#[derive(Debug, Default)]
pub(super) struct Progress(Mutex<RotationProgress>);

impl Progress {
    pub(super) fn note(&self, version: u32, done: u64, total: u64) {
        *self.0.lock() = RotationProgress { done, total, version };
    }

    /// Returns what was noted for `version`.
    pub(super) fn seen(&self, version: u32) -> RotationProgress {
        let noted = *self.0.lock();
        if noted.version == version {
            noted
        } else {
            RotationProgress { version, ..RotationProgress::default() }
        }
    }
}
