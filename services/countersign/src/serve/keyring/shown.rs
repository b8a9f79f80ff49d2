//! The keys as the API says them.

use countersign_core::Timestamp;
use countersign_domain::{keyring::SecretRotation, wire::timestamp_to_wire};
use countersign_keys::{AssertionAlgorithm, PublishedKey};
use countersign_proto::keys as wire;

use super::Keyring;

impl Keyring {
    /// Returns what may be known of the keys without the log.
    pub(crate) fn shown(&self) -> wire::Keyring {
        let rotation = &self.inner.rotation;
        let published = self.inner.assertion_keys.published();
        wire::Keyring {
            provider: rotation.provider().to_string(),
            shared: self.is_shared(),
            versions: rotation.versions(),
            wrapping_version: rotation.wrapping(),
            rewrapping: self.rewrapping(),
            assertion_keys: published.into_iter().map(assertion_key).collect(),
            secret_rotation: None,
        }
    }

    fn rewrapping(&self) -> Option<wire::Rewrapping> {
        let progress = self.inner.rotation.progress();
        let complete = self.is_complete();
        // Of keys that replicas share, who wraps anew is a command: replicas know nothing of it.
        let is_known = complete || progress.total > 0 || !self.is_shared();
        (self.has_older_versions() && is_known).then_some(wire::Rewrapping {
            done: progress.done,
            total: progress.total,
            complete,
        })
    }
}

/// Returns what the log tells of a rotation of users' secrets.
pub(super) fn secret_rotation(rotation: &SecretRotation) -> wire::SecretRotation {
    wire::SecretRotation {
        rotation: rotation.rotation,
        begun_at: Some(timestamp_to_wire(rotation.begun_at)),
        users_done: rotation.users_done,
        users_total: rotation.users_total,
        completed_at: rotation.completed_at.map(timestamp_to_wire),
    }
}

fn assertion_key(key: PublishedKey) -> wire::AssertionKey {
    let algorithm = match key.algorithm {
        AssertionAlgorithm::Es256 => wire::AssertionAlgorithm::Es256,
        AssertionAlgorithm::EdDsa => wire::AssertionAlgorithm::EdDsa,
    };
    wire::AssertionKey {
        kid: key.kid,
        algorithm: algorithm.into(),
        signs_from: Some(key.signs_from)
            .filter(|from| *from > Timestamp::EPOCH)
            .map(timestamp_to_wire),
        published_until: key.published_until.map(timestamp_to_wire),
        signs: key.signs,
    }
}
