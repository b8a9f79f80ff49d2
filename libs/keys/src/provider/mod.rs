//! Who keeps the key-encryption keys: the ring's own file, or a service that wraps them. One folder per provider.
//!
//! A provider is asked when keys are opened and when the ring changes, and never on the way of a sign-in. A token of
//! PKCS#11 would be one more folder here: it wraps the 32 bytes of a version under a key that does not leave the token,
//! on a thread that may wait, and needs a number in [`ProviderKind`] and a case in [`KeyProviderChoice`].

mod answer;
mod aws;
mod error;
mod local;
mod settings;
#[cfg(test)]
mod tests;
mod vault;

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use countersign_core::{Clock, SecretBytes};
use zeroize::Zeroizing;

pub use aws::AwsSettings;
pub use error::ProviderError;
pub(crate) use local::LocalFile;
pub use settings::KeySettings;
pub use vault::VaultSettings;

/// A kind of provider.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProviderKind {
    /// The ring's own file.
    #[default]
    Local,
    /// The secrets engine Transit of HashiCorp Vault, or of `OpenBao`.
    Vault,
    /// The key-management service of AWS.
    Aws,
}

impl ProviderKind {
    /// Returns what stands for it in the ring's file.
    pub(crate) const fn byte(self) -> u8 {
        match self {
            Self::Local => 1,
            Self::Vault => 2,
            Self::Aws => 3,
        }
    }

    pub(crate) const fn of(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Local),
            2 => Some(Self::Vault),
            3 => Some(Self::Aws),
            _ => None,
        }
    }
}

/// Prints the word that stands for it in settings.
impl fmt::Display for ProviderKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Local => "local",
            Self::Vault => "vault",
            Self::Aws => "aws",
        })
    }
}

/// Keeps key-encryption keys.
#[async_trait]
pub trait KeyProvider: fmt::Debug + Send + Sync {
    /// Returns of which kind it is.
    fn kind(&self) -> ProviderKind;

    /// Wraps a version of the key-encryption key under the newest of the provider's own keys.
    ///
    /// # Errors
    /// Says that the provider is away, refuses, or answers nonsense.
    async fn wrap(
        &self,
        version: u32,
        key: &SecretBytes,
    ) -> Result<Zeroizing<Vec<u8>>, ProviderError>;

    /// Unwraps what [`wrap`](Self::wrap) made for the same version.
    ///
    /// # Errors
    /// As [`wrap`](Self::wrap); and says that it was wrapped by another key.
    async fn unwrap(&self, version: u32, held: &[u8]) -> Result<SecretBytes, ProviderError>;

    /// Wraps anew, under the newest of the provider's own keys, what an older one had wrapped.
    ///
    /// # Errors
    /// As [`unwrap`](Self::unwrap).
    async fn rewrap(&self, version: u32, held: &[u8]) -> Result<Zeroizing<Vec<u8>>, ProviderError> {
        let key = self.unwrap(version, held).await?;
        self.wrap(version, &key).await
    }
}

/// Which provider keeps the key-encryption keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum KeyProviderChoice {
    /// The ring's own file.
    #[default]
    Local,
    /// Vault Transit.
    Vault(VaultSettings),
    /// AWS KMS.
    Aws(AwsSettings),
}

impl KeyProviderChoice {
    /// Returns the provider. It is asked for nothing yet.
    ///
    /// # Errors
    /// Names the setting that is not right.
    pub fn provider(&self, clock: Arc<dyn Clock>) -> Result<Arc<dyn KeyProvider>, ProviderError> {
        Ok(match self {
            Self::Local => Arc::new(LocalFile),
            Self::Vault(settings) => Arc::new(vault::Transit::new(settings)?),
            Self::Aws(settings) => Arc::new(aws::Kms::new(settings, clock)?),
        })
    }
}

/// Says that an address is not one to which keys may be sent: it is none, or anybody on the way could read along.
fn safe_address(field: &'static str, address: &str) -> Result<http::Uri, ProviderError> {
    let wrong = |what: &str| ProviderError::Settings { field, what: what.to_owned() };
    let uri: http::Uri = address.parse().map_err(|_| wrong("it is not a URL"))?;
    let host = uri.host().ok_or_else(|| wrong("it is not a URL with a host"))?;
    let is_here = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
    match uri.scheme_str() {
        _ if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) => {
            Err(wrong("a login does not belong into it"))
        }
        Some("https") => Ok(uri),
        Some("http") if is_here => Ok(uri),
        Some("http") => Err(wrong("keys would go over the net in the clear: use https")),
        Some(_) | None => Err(wrong("it must begin with https://")),
    }
}
