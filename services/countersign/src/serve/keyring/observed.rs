//! The keys as the log is told of them.

use countersign_core::Timestamp;
use countersign_domain::keyring::{Observed, ObservedAssertionKey};
use countersign_keys::PublishedKey;

use super::Keyring;

impl Keyring {
    /// Returns what this process sees at `now`.
    pub(super) fn observed(&self, now: Timestamp) -> Observed {
        let rotation = &self.inner.rotation;
        let versions = rotation.versions();
        let newest = versions.last().copied().unwrap_or_default();
        let progress =
            Some(rotation.progress()).filter(|seen| self.is_complete() && seen.version == newest);
        let published = self.inner.assertion_keys.published();
        Observed {
            provider: (!self.is_shared()).then(|| rotation.provider().to_string().into()),
            versions,
            rewrapped: progress.map(|seen| seen.done),
            ring_rewrapped: None,
            assertion_keys: published.into_iter().map(assertion_key).collect(),
            now,
        }
    }
}

fn assertion_key(key: PublishedKey) -> ObservedAssertionKey {
    ObservedAssertionKey {
        kid: key.kid.into(),
        algorithm: key.algorithm.name().into(),
        signs_from: Some(key.signs_from).filter(|from| *from > Timestamp::EPOCH),
    }
}
