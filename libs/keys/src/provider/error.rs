//! Why a provider does not wrap or unwrap.

use super::ProviderKind;

/// Why a provider does not wrap or unwrap a key-encryption key. Says nothing of keys, tokens and credentials.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// It does not answer, or says that it cannot for now. Try again later.
    #[error("{provider} is away: {what}")]
    Away {
        /// Who.
        provider: ProviderKind,
        /// What happened.
        what: String,
    },
    /// It knows us not, or does not let us use the key.
    #[error("{provider} refuses: {what}; look at {mend}")]
    Forbidden {
        /// Who.
        provider: ProviderKind,
        /// What it says.
        what: String,
        /// What the operator looks at.
        mend: &'static str,
    },
    /// What is wrapped is not wrapped by this key of the provider's, or there is no such key.
    #[error("{provider} has not the right key: {what}")]
    WrongKey {
        /// Who.
        provider: ProviderKind,
        /// What is not right.
        what: String,
    },
    /// Its answer is not what such a service answers.
    #[error("{provider} answers what nobody understands: {what}")]
    Malformed {
        /// Who.
        provider: ProviderKind,
        /// What is not understood.
        what: String,
    },
    /// A setting is not right, or what it names cannot be read.
    #[error("{field}: {what}")]
    Settings {
        /// The setting.
        field: &'static str,
        /// What is wrong, and the mend.
        what: String,
    },
    /// The ring is kept by another provider than the one configured.
    #[error(
        "the key-encryption key is kept by {found}, but keys.provider says {configured}: say {found} there, or move the key first"
    )]
    Another {
        /// Who keeps it.
        found: ProviderKind,
        /// Who is configured.
        configured: ProviderKind,
    },
}
