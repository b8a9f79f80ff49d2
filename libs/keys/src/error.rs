//! What can go wrong with keys: when they are opened, and when they are used.

use std::{error::Error, fmt, io, path::PathBuf, sync::Arc};

use crate::ProviderError;

/// Why a vault does not seal, unseal or erase.
#[derive(Clone, Debug, thiserror::Error)]
pub enum VaultError {
    /// The user's key was destroyed, or this store never had one: there is nothing to read with. Final.
    #[error("the user's key is not there any more")]
    Erased,
    /// The keys cannot be read or written for now; nothing was changed, or the same call completes it. Try again later.
    #[error("the keys are unavailable")]
    Unavailable(#[source] Arc<dyn Error + Send + Sync>),
    /// A stored key or a sealed value is not what was written, or belongs to someone else.
    #[error("a key or a sealed value is damaged")]
    Damaged(#[source] Arc<dyn Error + Send + Sync>),
    /// The user's secrets are under another generation of keys by now: load the user again, and repeat. If the user is the same
    /// then, the key is lost: the log and the keys are not of the same time.
    #[error("the user's secrets are under another key by now")]
    Superseded,
}

impl VaultError {
    pub(crate) fn damaged(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self::Damaged(Arc::new(KeyProblem::new(place, what)))
    }

    pub(crate) fn unavailable(source: impl Error + Send + Sync + 'static) -> Self {
        Self::Unavailable(Arc::new(source))
    }
}

/// What is wrong with stored keys, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyProblem {
    /// The file and the place in it.
    pub place: String,
    /// What is wrong.
    pub what: String,
}

impl KeyProblem {
    pub(crate) fn new(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self { place: place.into(), what: what.into() }
    }
}

impl fmt::Display for KeyProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

impl Error for KeyProblem {}

/// Why the keys of a data directory cannot be opened. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory or a file in it cannot be read or written.
    #[error("{} cannot be opened", path.display())]
    Io {
        /// The directory or file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Someone other than the owner may read the key-encryption key or replace files.
    #[error(
        "{} is open to others (mode {mode:03o}): give it to the owner alone, with chmod {wanted:03o}",
        path.display()
    )]
    Exposed {
        /// The directory or file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// What they should be.
        wanted: u32,
    },
    /// A file is gone while others show that it was there. It is never made anew: what it opened would be lost.
    #[error(
        "{} is missing, though {} is there: restore it from its backup; a new one could not read what was sealed before",
        path.display(),
        beside.display()
    )]
    Missing {
        /// The file.
        path: PathBuf,
        /// A file that was made after it.
        beside: PathBuf,
    },
    /// A file does not open under the key-encryption key.
    #[error(
        "{} does not open under {}: restore the two, and the data keys, from the same time and place",
        path.display(),
        kek.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// The key-encryption key.
        kek: PathBuf,
    },
    /// Another release has written it.
    #[error("{} has format {found}, and this release knows format {known}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Format found.
        found: u16,
        /// Format known.
        known: u16,
    },
    /// A part is not there yet that a command makes.
    #[error("{what}; run `countersign {command}`")]
    NotReady {
        /// What is not there.
        what: String,
        /// What makes it.
        command: &'static str,
    },
    /// Keys that are kept elsewhere cannot be reached for now. Try again later.
    #[error("the keys are unavailable")]
    Unavailable(#[source] Arc<dyn Error + Send + Sync>),
    /// The provider of the key-encryption key does not wrap or unwrap it.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// What is stored is damaged: restore it from its backup.
    #[error("{0}; restore it from its backup")]
    Damaged(KeyProblem),
}

impl From<VaultError> for OpenError {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::Unavailable(source) => Self::Unavailable(source),
            VaultError::Damaged(source) => Self::Damaged(KeyProblem::new("a key", chain(&*source))),
            VaultError::Erased | VaultError::Superseded => {
                Self::Damaged(KeyProblem::new("a key", error.to_string()))
            }
        }
    }
}

impl OpenError {
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}

/// Says an error with its causes.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}
