//! Sealing and erasing, for whoever has users' data.

use std::{fmt, io, sync::Arc};

use countersign_core::{Rng, SecretBytes, TenantId, UserId, UserKey};
use countersign_crypto::{IndexKey, SealContext, Sealed};

use crate::{
    VaultError,
    shared::SharedStore,
    store::{Found, KeyStore},
    user_keys::{Exchange, OwnedKeys},
};

/// Seals users' values, each user's under keys of their own, and erases users. Cheap to clone.
///
/// What stays is sealed under the user's data key; what factors keep is sealed under the user's secrets key, which can be
/// exchanged.
#[derive(Clone)]
pub struct UserVault {
    inner: Arc<Inner>,
}

struct Inner {
    index_key: IndexKey,
    store: Store,
    rng: Arc<dyn Rng>,
}

/// A user's secrets key of one generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretsKey {
    /// The tenant.
    pub tenant: TenantId,
    /// The user.
    pub user: UserKey,
    /// Which of the keys that the user has had: the first is 1.
    pub generation: u32,
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
        let owned = self.find_or_make(tenant, user).await?;
        let context = SealContext { tenant, user, field, generation: None };
        Ok(owned.keys.data().seal(&context, plaintext, &*self.inner.rng))
    }

    /// Seals what a factor keeps, as [`seal`](Self::seal) does, but under the user's secrets key of the generation that the
    /// user's secrets are under.
    ///
    /// # Errors
    /// As [`seal`](Self::seal); and says that the secrets are under another generation by now.
    pub async fn seal_secret(
        &self,
        key: &SecretsKey,
        field: &'static str,
        plaintext: &[u8],
    ) -> Result<Sealed, VaultError> {
        let SecretsKey { tenant, user, generation } = key;
        let owned = self.find_or_make(tenant, *user).await?;
        let owned = self.holding(owned, *user, *generation).await?;
        let secrets = owned.keys.secrets(*generation).ok_or(VaultError::Superseded)?;
        let context = SealContext { tenant, user: *user, field, generation: Some(*generation) };
        Ok(secrets.seal(&context, plaintext, &*self.inner.rng))
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

    /// Returns `owned`, or if it lacks the secrets key of `generation`, the user's keys as they are stored by now.
    async fn holding(
        &self,
        owned: Arc<OwnedKeys>,
        user: UserKey,
        generation: u32,
    ) -> Result<Arc<OwnedKeys>, VaultError> {
        if owned.keys.secrets(generation).is_some() {
            return Ok(owned);
        }
        let found = match &self.inner.store {
            Store::Local(store) => store.load(&owned.tenant, user)?,
            Store::Shared(store) => Box::pin(store.find(&owned.tenant, user)).await?,
        };
        found.keys()
    }

    /// Finds a user's key or makes it. A first key is made on a thread that may wait for the disk, where those who come
    /// together share one sync.
    async fn find_or_make(
        &self,
        tenant: &TenantId,
        user: UserKey,
    ) -> Result<Arc<OwnedKeys>, VaultError> {
        let found = match &self.inner.store {
            Store::Local(store) => loop {
                match store.find(tenant, user)? {
                    found @ (Found::Keys(_) | Found::Erased) => break found,
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
        found.keys()
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
        let owned = self.find(tenant, user).await?.keys()?;
        let context = SealContext { tenant, user, field, generation: None };
        let opened = owned.keys.data().open(&context, sealed);
        opened.map_err(|error| VaultError::Damaged(Arc::new(error)))
    }

    /// Opens what [`seal_secret`](Self::seal_secret) sealed as the `field` of a user.
    ///
    /// # Errors
    /// As [`unseal`](Self::unseal); and says that the secrets are under another generation by now, so that the user is to be
    /// loaded again.
    pub async fn unseal_secret(
        &self,
        tenant: &TenantId,
        user: UserKey,
        field: &'static str,
        sealed: &Sealed,
    ) -> Result<SecretBytes, VaultError> {
        let owned = self.find(tenant, user).await?.keys()?;
        let generation = sealed.generation();
        let damaged = || VaultError::damaged("a sealed secret", "it names no generation of keys");
        let generation = generation.ok_or_else(damaged)?;
        let owned = self.holding(owned, user, generation).await?;
        let secrets = owned.keys.secrets(generation).ok_or(VaultError::Superseded)?;
        let context = SealContext { tenant, user, field, generation: Some(generation) };
        secrets.open(&context, sealed).map_err(|error| VaultError::Damaged(Arc::new(error)))
    }

    /// Puts a next secrets key beside the one that each user's secrets are under, so that they can be sealed anew under the
    /// generation after it. Says of each user what came of it; whoever goes on after a crash is given the same key again.
    ///
    /// # Errors
    /// Says that the keys cannot be read or written: repeat the call.
    pub async fn begin_exchange(
        &self,
        users: Vec<SecretsKey>,
    ) -> Result<Vec<Result<(), VaultError>>, VaultError> {
        self.exchange(users, |of| Exchange::Begin { of }).await
    }

    /// Destroys the secrets keys before the one that each user's secrets are under by now, in the store and in memory; what
    /// they sealed opens never again. Says of each user what came of it.
    ///
    /// # Errors
    /// Says that the keys cannot be read or written: repeat the call.
    pub async fn end_exchange(
        &self,
        users: Vec<SecretsKey>,
    ) -> Result<Vec<Result<(), VaultError>>, VaultError> {
        self.exchange(users, |keep| Exchange::End { keep }).await
    }

    async fn exchange(
        &self,
        users: Vec<SecretsKey>,
        step: impl Fn(u32) -> Exchange + Send + Sync + 'static,
    ) -> Result<Vec<Result<(), VaultError>>, VaultError> {
        match &self.inner.store {
            Store::Local(store) => {
                let store = Arc::clone(store);
                waiting(move || store.exchange(&users, step)).await
            }
            Store::Shared(store) => Ok(Box::pin(store.exchange(&users, step)).await),
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
        let owned = self.find(tenant, user).await?.keys()?;
        let context = SealContext { tenant, user, field, generation: None };
        Ok(owned.keys.data().name(&context, value))
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
