//! The client's side of TLS.

use std::{path::PathBuf, sync::Arc};

use crate::{Connector, ExpectedPeer, KeyPair, Live, Material, TlsError, files::Paths};

/// How servers are called over TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientTlsSettings {
    /// Certificates in PEM of the authorities that sign those of servers. No others are trusted: not those of the system.
    pub roots: PathBuf,
    /// What is shown to servers that ask who calls; `None` if there is nothing to show.
    pub key_pair: Option<KeyPair>,
}

/// Whom clients trust and what they show, as files say now.
#[derive(Clone, Debug)]
pub struct ClientTls {
    files: Arc<Live<Material>>,
}

impl ClientTls {
    /// Reads the files of `settings`.
    ///
    /// # Errors
    /// Names the file that cannot be used, and says why.
    pub fn open(settings: &ClientTlsSettings) -> Result<Self, TlsError> {
        let ClientTlsSettings { roots, key_pair } = settings.clone();
        let files = Live::open(Paths { key_pair, roots: Some(roots) }, Ok)?;
        Ok(Self { files: Arc::new(files) })
    }

    /// Reads whom to trust, for a client that shows no certificate.
    ///
    /// # Errors
    /// Names the file that cannot be used, and says why.
    pub fn from_roots(roots: impl Into<PathBuf>) -> Result<Self, TlsError> {
        Self::open(&ClientTlsSettings { roots: roots.into(), key_pair: None })
    }

    /// Returns its files, which a process that lives long is to [follow](Live::follow).
    #[must_use]
    pub const fn files(&self) -> &Arc<Live<Material>> {
        &self.files
    }

    /// Returns what opens connections to servers that are `expected`. Each uses what the files say when it is opened.
    #[must_use]
    pub fn connector(&self, expected: ExpectedPeer) -> Connector {
        Connector::new(Arc::clone(&self.files), expected)
    }
}
