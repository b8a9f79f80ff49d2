//! Why TLS cannot be set up from files.

use std::{io, path::PathBuf};

use countersign_core::Timestamp;

/// Why certificates, keys or roots cannot be used. What was used before, if anything, still is.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{} cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is too long to be what it should be.
    #[error("{} has more than {limit} bytes", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Greatest length in bytes.
        limit: u64,
    },
    /// Others may read or replace a key.
    #[error(
        "{} is open to others (mode {mode:03o}): give it to the owner and at most to be read by the group, with chmod 440, or in Kubernetes with defaultMode: 0440",
        path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A file is not PEM, or ends too early.
    #[error("{} is not PEM from beginning to end: {what}", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: &'static str,
    },
    /// A file does not hold what it should.
    #[error("{} holds no {wanted} in PEM", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        wanted: &'static str,
    },
    /// A certificate is none.
    #[error("certificate {number} of {} cannot be used: {what}", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// Which of its certificates, from 1.
        number: usize,
        /// What is wrong.
        what: String,
    },
    /// A certificate has expired.
    #[error("the certificate of {} expired at {at}: renew it", path.display())]
    Expired {
        /// The file.
        path: PathBuf,
        /// When.
        at: Timestamp,
    },
    /// A key is of a kind that is not known, or not that of the certificate.
    #[error("{} is not a key that fits the certificate of {}: {what}", key.display(), certificate.display())]
    Key {
        /// The file of the key.
        key: PathBuf,
        /// The file of the certificate.
        certificate: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// Certificates of clients are demanded, and nobody could have signed them.
    #[error(
        "client certificates are required, but client_roots names no authorities that sign them"
    )]
    NoClientRoots,
    /// What was read does not go together.
    #[error("TLS cannot be set up: {0}")]
    Refused(String),
}
