//! Sealing and erasing, for whoever has users' data.

use std::{fmt, sync::Arc};

use countersign_core::{Rng, SecretBytes, TenantId, UserId, UserKey};
use countersign_crypto::{IndexKey, SealContext, Sealed};

use crate::{
    VaultError,
    store::{Found, KeyStore, OwnedKey},
};

/// Seals users' values, each user's under a key of their own, and erases users. Cheap to clone.
#[derive(Clone)]
pub struct UserVault {
    inner: Arc<Inner>,
}

struct Inner {
    index_key: IndexKey,
    store: KeyStore,
    rng: Arc<dyn Rng>,
}

impl fmt::Debug for UserVault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserVault([redacted])")
    }
}

impl UserVault {
    pub(crate) fn new(index_key: IndexKey, store: KeyStore, rng: Arc<dyn Rng>) -> Self {
        Self { inner: Arc::new(Inner { index_key, store, rng }) }
    }

    /// Returns what stands for a user in stream names.
    #[must_use]
    pub fn user_key(&self, tenant: &TenantId, user: &UserId) -> UserKey {
        self.inner.index_key.user_key(tenant, user)
    }

    /// Returns a digest that tells a repeated request from another one under the same id.
    #[must_use]
    pub fn request_digest(&self, method: &str, content: &[u8]) -> u64 {
        self.inner.index_key.request_digest(method, content)
    }

    /// Seals `plaintext` as the `field` of a user. Makes the user's key if there is none, and then waits until it is on
    /// disk, so that what is sealed may be appended to the log at once.
    ///
    /// # Errors
    /// Says that the user was erased, or that the keys cannot be read or written.
    pub fn seal(
        &self,
        tenant: &TenantId,
        user: UserKey,
        field: &'static str,
        plaintext: &[u8],
    ) -> Result<Sealed, VaultError> {
        let key = self.find_or_make(tenant, user)?;
        let context = SealContext { tenant, user, field };
        Ok(key.data_key.seal(&context, plaintext, &*self.inner.rng))
    }

    /// Returns whether the user has a key already, or never will, so that sealing does not wait for the disk.
    ///
    /// # Errors
    /// Says that the keys cannot be read.
    pub fn is_ready(&self, tenant: &TenantId, user: UserKey) -> Result<bool, VaultError> {
        match self.inner.store.find(tenant, user)? {
            Found::Key(_) | Found::Erased => Ok(true),
            Found::Nothing => Ok(false),
        }
    }

    /// Makes the user's key if there is none, and waits until it is on disk.
    ///
    /// # Errors
    /// Says that the user was erased, or that the keys cannot be read or written.
    pub fn make_ready(&self, tenant: &TenantId, user: UserKey) -> Result<(), VaultError> {
        self.find_or_make(tenant, user).map(drop)
    }

    fn find_or_make(&self, tenant: &TenantId, user: UserKey) -> Result<Arc<OwnedKey>, VaultError> {
        let store = &self.inner.store;
        loop {
            match store.find(tenant, user)? {
                Found::Key(key) => return Ok(key),
                Found::Erased => return Err(VaultError::Erased),
                Found::Nothing => store.create(tenant, user)?,
            }
        }
    }

    /// Opens what was sealed as the `field` of a user.
    ///
    /// # Errors
    /// Says that the user's key is not there (any more), that the value was altered or belongs elsewhere, or that the
    /// keys cannot be read.
    pub fn unseal(
        &self,
        tenant: &TenantId,
        user: UserKey,
        field: &'static str,
        sealed: &Sealed,
    ) -> Result<SecretBytes, VaultError> {
        match self.inner.store.find(tenant, user)? {
            Found::Key(key) => key
                .data_key
                .open(&SealContext { tenant, user, field }, sealed)
                .map_err(|error| VaultError::Damaged(Arc::new(error))),
            Found::Erased | Found::Nothing => Err(VaultError::Erased),
        }
    }

    /// Destroys a user's key for ever: when this returns, no byte of it is left in the store or in memory, and nobody
    /// can seal for the user again. Does nothing for a user who is already erased.
    ///
    /// # Errors
    /// Says that the keys cannot be written, or that the user belongs to another tenant. After
    /// [`VaultError::Unavailable`] the key may be gone or not: repeat the call.
    pub fn erase(&self, tenant: &TenantId, user: UserKey) -> Result<(), VaultError> {
        self.inner.store.erase(tenant, user)
    }
}
