//! Keys: the ones that seal users' data and can be destroyed, the one that wraps them, and the one that signs
//! statements of proofs.
//!
//! A user's values are sealed under the user's own data key. Data keys lie, wrapped by a key-encryption key, in the
//! data-key store, the one store that can delete: when a user is erased the key goes for ever, and what the log holds
//! under it can no longer be read by anyone, while the log stays whole. Copies that left the directory (backups, the
//! snapshots of a file system, worn cells of a flash disk) are out of its reach: keep the key-encryption key apart from
//! backups of the store, and let those expire.
//!
//! There are two stores behind the same vault. [`LocalKeys`] has everything in a directory of one process; [`SharedKeys`]
//! has the data keys in NATS, for services that are processes of their own in any number of replicas. There, a key that
//! was erased on one replica is forgotten by the others within milliseconds, and by one that cannot hear NATS within a
//! minute; and the journals of a cluster's servers hold an erased key until they are compacted. [`copy_keys`] carries an
//! installation's keys from one to the other.
//!
//! The key-encryption key is a ring of versions, which a file keeps or a service ([`KeyProviderChoice`]). It is rotated
//! while keys are used, and so are the keys that sign: [`KeyRotation`].
//!
//! ```no_run
//! # use std::{path::Path, sync::Arc};
//! # use countersign_core::{Rng, TenantId, UserId};
//! # async fn example(rng: Arc<dyn Rng>, tenant: TenantId, user: UserId) -> Result<(), Box<dyn std::error::Error>> {
//! let keys = countersign_keys::LocalKeys::open(Path::new("data/keys"), rng)?;
//! let vault = keys.vault();
//! let user = vault.user_key(&tenant, &user);
//! let sealed = vault.seal(&tenant, user, "authenticator.record", b"a seed").await?;
//! assert_eq!(vault.unseal(&tenant, user, "authenticator.record", &sealed).await?.expose(), b"a seed");
//! vault.erase(&tenant, user).await?;
//! # Ok(())
//! # }
//! ```

mod assertion;
mod copy;
mod encryption;
mod error;
mod frame;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod local_file;
mod provider;
mod ring;
mod rotation;
mod shared;
mod store;
mod user_keys;
mod vault;

pub use assertion::{AssertionAlgorithm, AssertionKey, AssertionKeys, PublishedKey, SignError};
pub use copy::{CopiedKeys, KeyPlace, copy_keys, copy_keys_with};
pub use encryption::{KeyEncryption, WRAPPED_LEN};
pub use error::{KeyProblem, OpenError, VaultError};
pub use local_file::{KeyReport, LocalKeys, verify, verify_with};
pub use provider::{
    AwsSettings, KeyProvider, KeyProviderChoice, KeySettings, ProviderError, ProviderKind,
    VaultSettings,
};
pub use rotation::{AssertionRotation, KeyRotation, RotationError, RotationProgress};
pub use shared::{SharedKeys, verify_shared, verify_shared_with};
pub use vault::{SecretsKey, UserVault};
