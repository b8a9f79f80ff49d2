//! What the fold of the installation's own keys knows.

use countersign_core::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Event, SecretRotation};

/// The installation's own keys, as far as was told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    fingerprint: Option<Box<str>>,
    provider: Option<Box<str>>,
    /// Those in the ring, the oldest first.
    versions: Vec<u32>,
    /// The newest that ever was.
    newest_version: u32,
    /// The newest under which everything was wrapped.
    rewrapped: u32,
    /// All signing keys that ever were, in the order in which they were drawn: whoever is behind still sees them, and they
    /// are not told of again. There are a few a year.
    told_keys: Vec<ToldKey>,
    secret_rotation: Option<SecretRotation>,
}

/// A signing key that was told of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ToldKey {
    pub(super) kid: Box<str>,
    /// From when on it signs; `None` for the first key.
    pub(super) signs_from: Option<Timestamp>,
    is_published: bool,
}

impl State {
    /// Returns what tells the installation's index key from another; `None` if nobody told.
    #[must_use]
    pub fn fingerprint(&self) -> Option<&str> {
        self.fingerprint.as_deref()
    }

    /// Returns who keeps the key-encryption key; `None` if nobody told.
    #[must_use]
    pub fn provider(&self) -> Option<&str> {
        self.provider.as_deref()
    }

    /// Returns the versions of the key-encryption key that are in the ring, the oldest first.
    #[must_use]
    pub fn versions(&self) -> &[u32] {
        &self.versions
    }

    /// Returns the newest version of the key-encryption key that ever was; 0 if nobody told.
    #[must_use]
    pub const fn newest_version(&self) -> u32 {
        self.newest_version
    }

    /// Returns the newest version under which everything was wrapped; 0 if nobody told.
    #[must_use]
    pub const fn rewrapped(&self) -> u32 {
        self.rewrapped
    }

    /// Returns the ids of the signing keys that are published, in the order in which they were drawn.
    pub fn published(&self) -> impl Iterator<Item = &str> {
        self.told_keys.iter().filter(|key| key.is_published).map(|key| &*key.kid)
    }

    /// Returns whether a signing key was ever published.
    #[must_use]
    pub fn knows_kid(&self, kid: &str) -> bool {
        self.told_keys.iter().any(|key| &*key.kid == kid)
    }

    /// Returns the rotation of users' secrets that is under way, or else the last one; `None` if there was none.
    #[must_use]
    pub const fn secret_rotation(&self) -> Option<&SecretRotation> {
        self.secret_rotation.as_ref()
    }

    pub(super) fn told_keys(&self) -> &[ToldKey] {
        &self.told_keys
    }

    pub(super) fn evolve(mut self, event: &Event) -> Self {
        match event {
            Event::KeysFounded(event) => self.fingerprint = Some(event.fingerprint.clone()),
            Event::KeyVersionAdded(event) => {
                self.versions.push(event.version);
                self.newest_version = self.newest_version.max(event.version);
            }
            Event::KeysRewrapped(event) => self.rewrapped = event.version,
            Event::KeyVersionsRetired(event) => {
                self.versions.retain(|version| !event.versions.contains(version));
            }
            // What the provider's own keys are is nobody's to know.
            Event::KeyringRewrapped(_) => {}
            Event::KeyProviderChanged(event) => self.provider = Some(event.provider.clone()),
            Event::AssertionKeyPublished(event) => {
                let (kid, signs_from) = (event.kid.clone(), event.signs_from);
                self.told_keys.push(ToldKey { kid, signs_from, is_published: true });
            }
            Event::AssertionKeysWithdrawn(event) => {
                let told = self.told_keys.iter_mut();
                for key in told.filter(|key| event.kids.contains(&key.kid)) {
                    key.is_published = false;
                }
            }
            Event::SecretRotationBegun(event) => self.secret_rotation = Some(event.into()),
            Event::SecretRotationAdvanced(event) => {
                if let Some(rotation) = &mut self.secret_rotation {
                    rotation.advance(event);
                }
            }
            Event::SecretRotationCompleted(event) => {
                if let Some(rotation) = &mut self.secret_rotation {
                    rotation.complete(event);
                }
            }
        }
        self
    }
}
