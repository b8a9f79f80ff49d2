//! The ring's own file: keys are kept in it as they are, and its permissions guard them.

use async_trait::async_trait;
use countersign_core::SecretBytes;
use zeroize::Zeroizing;

use super::{KeyProvider, ProviderError, ProviderKind};

/// The file itself.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LocalFile;

#[async_trait]
impl KeyProvider for LocalFile {
    fn kind(&self) -> ProviderKind {
        ProviderKind::Local
    }

    async fn wrap(&self, _: u32, key: &SecretBytes) -> Result<Zeroizing<Vec<u8>>, ProviderError> {
        Ok(Zeroizing::new(key.expose().to_vec()))
    }

    async fn unwrap(&self, _: u32, held: &[u8]) -> Result<SecretBytes, ProviderError> {
        Ok(SecretBytes::new(held.to_vec()))
    }
}
