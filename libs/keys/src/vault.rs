//! Sealing and erasing, for whoever has users' data.

use std::{fmt, io, sync::Arc};

use countersign_core::{Rng, SecretBytes, TenantId, UserId, UserKey};
use countersign_crypto::{IndexKey, SealContext, Sealed};

use crate::{
    VaultError,
    shared::SharedStore,
    store::{Found, KeyStore, OwnedKey},
};

/// Seals users' values, each user's under a key of their own, and erases users. Cheap to clone.
#[derive(Clone)]
pub struct UserVault {
    inner: Arc<Inner>,
}

struct Inner {
    index_key: IndexKey,
    store: Store,
    rng: Arc<dyn Rng>,
}

/// Where users' keys are.
enum Store {
    /// In a file of this process alone.
    Local(Arc<KeyStore>),
    /// In NATS.
    Shared(Arc<SharedStore>),
}

impl fmt::Debug for UserVault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserVault([redacted])")
    }
}

impl UserVault {
    pub(crate) fn local(index_key: IndexKey, store: Arc<KeyStore>, rng: Arc<dyn Rng>) -> Self {
        Self::new(index_key, Store::Local(store), rng)
    }

    pub(crate) fn shared(index_key: IndexKey, store: Arc<SharedStore>, rng: Arc<dyn Rng>) -> Self {
        Self::new(index_key, Store::Shared(store), rng)
    }

    fn new(index_key: IndexKey, store: Store, rng: Arc<dyn Rng>) -> Self {
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

    /// Returns a tag that only processes of this installation can make, for a statement that comes back to us.
    #[must_use]
    pub fn tag(&self, purpose: &'static str, statement: &[u8]) -> [u8; 32] {
        self.inner.index_key.tag(purpose, statement)
    }

    /// Seals `plaintext` as the `field` of a user. Makes the user's key if there is none, and then waits until it is on
    /// disk, so that what is sealed may be appended to the log at once.
    ///
    /// # Errors
    /// Says that the user was erased, or that the keys cannot be read or written.
    pub async fn seal(
        &self,
        tenant: &TenantId,
        user: UserKey,
        field: &'static str,
        plaintext: &[u8],
    ) -> Result<Sealed, VaultError> {
        let key = self.find_or_make(tenant, user).await?;
        let context = SealContext { tenant, user, field };
        Ok(key.data_key.seal(&context, plaintext, &*self.inner.rng))
    }

    /// Finds a user's key. One that is at hand is found without waiting.
    async fn find(&self, tenant: &TenantId, user: UserKey) -> Result<Found, VaultError> {
        match &self.inner.store {
            Store::Local(store) => store.find(tenant, user),
            Store::Shared(store) => match store.cached(tenant, user)? {
                Some(found) => Ok(found),
                // Apart, so that who does not come here does not carry it along.
                None => Box::pin(store.find(tenant, user)).await,
            },
        }
    }

    /// Finds a user's key or makes it. A first key is made on a thread that may wait for the disk, where those who come
    /// together share one sync.
    async fn find_or_make(
        &self,
        tenant: &TenantId,
        user: UserKey,
    ) -> Result<Arc<OwnedKey>, VaultError> {
        let found = match &self.inner.store {
            Store::Local(store) => loop {
                match store.find(tenant, user)? {
                    found @ (Found::Key(_) | Found::Erased) => break found,
                    Found::Nothing => {
                        let (store, tenant) = (Arc::clone(store), tenant.clone());
                        waiting(move || store.create(&tenant, user)).await?;
                    }
                }
            },
            Store::Shared(store) => match store.cached(tenant, user)? {
                Some(found) => found,
                None => Box::pin(store.find_or_make(tenant, user)).await?,
            },
        };
        match found {
            Found::Key(key) => Ok(key),
            Found::Erased | Found::Nothing => Err(VaultError::Erased),
        }
    }

    /// Opens what was sealed as the `field` of a user.
    ///
    /// # Errors
    /// Says that the user's key is not there (any more), that the value was altered or belongs elsewhere, or that the
    /// keys cannot be read.
    pub async fn unseal(
        &self,
        tenant: &TenantId,
        user: UserKey,
        field: &'static str,
        sealed: &Sealed,
    ) -> Result<SecretBytes, VaultError> {
        match self.find(tenant, user).await? {
            Found::Key(key) => key
                .data_key
                .open(&SealContext { tenant, user, field }, sealed)
                .map_err(|error| VaultError::Damaged(Arc::new(error))),
            Found::Erased | Found::Nothing => Err(VaultError::Erased),
        }
    }

    /// Returns what stands for a value of a user where equal values must be told from others, and nothing more: the
    /// value as the `field` of the user is not found out from it, and once the user is erased by nobody.
    ///
    /// # Errors
    /// Says that the user's key is not there (any more), or that the keys cannot be read.
    pub async fn name(
        &self,
        tenant: &TenantId,
        user: UserKey,
        field: &'static str,
        value: &[u8],
    ) -> Result<u64, VaultError> {
        match self.find(tenant, user).await? {
            Found::Key(key) => Ok(key.data_key.name(&SealContext { tenant, user, field }, value)),
            Found::Erased | Found::Nothing => Err(VaultError::Erased),
        }
    }

    /// Destroys a user's key for ever: when this returns, no byte of it is left in the store or in memory, and nobody
    /// can seal for the user again. Does nothing for a user who is already erased.
    ///
    /// # Errors
    /// Says that the keys cannot be written, or that the user belongs to another tenant. After
    /// [`VaultError::Unavailable`] the key may be gone or not: repeat the call.
    pub async fn erase(&self, tenant: &TenantId, user: UserKey) -> Result<(), VaultError> {
        match &self.inner.store {
            Store::Local(store) => {
                let (store, tenant) = (Arc::clone(store), tenant.clone());
                waiting(move || store.erase(&tenant, user)).await
            }
            Store::Shared(store) => Box::pin(store.erase(tenant, user)).await,
        }
    }
}

/// Does what waits for the disk on a thread that may.
async fn waiting<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, VaultError> + Send + 'static,
) -> Result<T, VaultError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(VaultError::unavailable(io::Error::other(error))))
}
