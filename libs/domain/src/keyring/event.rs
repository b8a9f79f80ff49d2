//! What can happen to the installation's own keys. No event holds a secret.

use countersign_core::Timestamp;

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// See [`KeysFounded`].
    KeysFounded(KeysFounded),
    /// See [`KeyVersionAdded`].
    KeyVersionAdded(KeyVersionAdded),
    /// See [`KeysRewrapped`].
    KeysRewrapped(KeysRewrapped),
    /// See [`KeyVersionsRetired`].
    KeyVersionsRetired(KeyVersionsRetired),
    /// See [`KeyringRewrapped`].
    KeyringRewrapped(KeyringRewrapped),
    /// See [`KeyProviderChanged`].
    KeyProviderChanged(KeyProviderChanged),
    /// See [`AssertionKeyPublished`].
    AssertionKeyPublished(AssertionKeyPublished),
    /// See [`AssertionKeysWithdrawn`].
    AssertionKeysWithdrawn(AssertionKeysWithdrawn),
    /// See [`SecretRotationBegun`].
    SecretRotationBegun(SecretRotationBegun),
    /// See [`SecretRotationAdvanced`].
    SecretRotationAdvanced(SecretRotationAdvanced),
    /// See [`SecretRotationCompleted`].
    SecretRotationCompleted(SecretRotationCompleted),
}

/// The installation has keys of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeysFounded {
    /// Tells the index key from another, and nothing more.
    pub fingerprint: Box<str>,
    /// When it was seen.
    pub seen_at: Timestamp,
}

/// A version of the key-encryption key is in the ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyVersionAdded {
    /// Its number.
    pub version: u32,
    /// When it was seen.
    pub seen_at: Timestamp,
}

/// Everything is wrapped under the newest version of the key-encryption key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeysRewrapped {
    /// The version.
    pub version: u32,
    /// How many users' keys are under it.
    pub keys: u64,
    /// When it was seen.
    pub seen_at: Timestamp,
}

/// Versions of the key-encryption key are no longer in the ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyVersionsRetired {
    /// Their numbers.
    pub versions: Vec<u32>,
    /// When it was seen.
    pub seen_at: Timestamp,
}

/// The provider wrapped the ring anew under the newest of its own keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyringRewrapped {
    /// The provider.
    pub provider: Box<str>,
    /// When it was seen.
    pub seen_at: Timestamp,
}

/// This provider keeps the key-encryption key from now on; also told of the first one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyProviderChanged {
    /// The provider.
    pub provider: Box<str>,
    /// When it was seen.
    pub seen_at: Timestamp,
}

/// A key that signs statements is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssertionKeyPublished {
    /// Its id.
    pub kid: Box<str>,
    /// How it signs.
    pub algorithm: Box<str>,
    /// From when on it signs; `None` for the first key.
    pub signs_from: Option<Timestamp>,
    /// When it was seen.
    pub seen_at: Timestamp,
}

/// Keys that signed statements, or were to, are published no longer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssertionKeysWithdrawn {
    /// Their ids.
    pub kids: Vec<Box<str>>,
    /// When it was seen.
    pub seen_at: Timestamp,
}

/// Every user's secrets are about to be sealed anew, each under a fresh key of the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecretRotationBegun {
    /// Its number; the first is 1.
    pub rotation: u32,
    /// When.
    pub begun_at: Timestamp,
}

/// So far has sealing anew come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecretRotationAdvanced {
    /// The rotation.
    pub rotation: u32,
    /// How many users are done.
    pub users_done: u64,
    /// How many users there are.
    pub users_total: u64,
}

/// Every user's secrets are sealed anew, and the keys from before are destroyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecretRotationCompleted {
    /// The rotation.
    pub rotation: u32,
    /// How many users had secrets.
    pub users: u64,
    /// How many secrets were sealed anew.
    pub secrets: u64,
    /// When.
    pub completed_at: Timestamp,
}
