//! Settings: which provider keeps the key-encryption key, and how each is asked.

use serde::{Deserialize, Serialize};

use super::{AwsSettings, KeyProviderChoice, ProviderError, ProviderKind, VaultSettings};

/// The section `keys` of the settings. There may be more providers than the one that is used, as while a key moves from
/// one to the other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KeySettings {
    /// Who keeps the key-encryption key.
    pub provider: ProviderKind,
    /// How Vault is asked.
    pub vault: Option<VaultSettings>,
    /// How AWS KMS is asked.
    pub aws: Option<AwsSettings>,
}

impl KeySettings {
    /// Returns the provider that is set.
    ///
    /// # Errors
    /// Says which section is missing.
    pub fn choice(&self) -> Result<KeyProviderChoice, ProviderError> {
        self.choice_of(self.provider)
    }

    /// Returns a provider of that kind, which the key-encryption key may be moved to.
    ///
    /// # Errors
    /// Says which section is missing.
    pub fn choice_of(&self, kind: ProviderKind) -> Result<KeyProviderChoice, ProviderError> {
        let missing = |field| ProviderError::Settings {
            field,
            what: format!("it is missing: say how {kind} is asked"),
        };
        match kind {
            ProviderKind::Local => Ok(KeyProviderChoice::Local),
            ProviderKind::Vault => {
                let settings = self.vault.clone().ok_or_else(|| missing("keys.vault"))?;
                Ok(KeyProviderChoice::Vault(settings))
            }
            ProviderKind::Aws => {
                let settings = self.aws.clone().ok_or_else(|| missing("keys.aws"))?;
                Ok(KeyProviderChoice::Aws(settings))
            }
        }
    }
}
