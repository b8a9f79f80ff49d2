//! The seam for key-encryption keys: whoever wraps keys so that they may be stored.

use std::fmt::Debug;

use countersign_core::SecretBytes;

use crate::{VaultError, user_keys::USER_KEYS_LEN};

/// Length of a user's wrapped keys: 24 bytes of nonce, the keys, 16 bytes of tag. The slots of the data-key store have room
/// for exactly that.
pub const WRAPPED_LEN: usize = 24 + USER_KEYS_LEN + 16;

/// Wraps keys.
///
/// Data keys are wrapped by a key in this process, so that no sign-in waits for the network. A provider that is a
/// service ([`KeyProvider`](crate::KeyProvider)) keeps that key wrapped in its turn, and unwraps it once per start.
pub trait KeyEncryption: Debug + Send + Sync {
    /// Wraps `key` so that it opens only with the same `associated`: 40 bytes more than the key has.
    ///
    /// # Errors
    /// Says that the provider cannot be reached.
    fn wrap(&self, associated: &[u8], key: &[u8]) -> Result<Vec<u8>, VaultError>;

    /// Opens what [`wrap`](Self::wrap) made.
    ///
    /// # Errors
    /// Says that the provider cannot be reached, or [`VaultError::Damaged`] if the bytes were altered, belong elsewhere
    /// or were wrapped by another key.
    fn unwrap(&self, associated: &[u8], wrapped: &[u8]) -> Result<SecretBytes, VaultError>;
}
