//! What can go wrong with a data directory.

use std::{io, path::PathBuf, sync::Arc};

use countersign_eventsourcing::{Corruption, ReadError, Source};

/// Why a data directory cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error(
        "{} is held by {}: only one process may use a data directory at a time",
        path.display(),
        pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
    )]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// The process that holds it, if it has said so.
        pid: Option<u32>,
    },
    /// The directory or a file in it cannot be read or written.
    #[error("the event log in {} cannot be opened", path.display())]
    Io {
        /// The directory or file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What is stored is damaged. Nothing was changed.
    #[error(transparent)]
    Corrupt(#[from] Corruption),
    /// A newer release has written it.
    #[error("the event log in {} has format {found}, and this release knows format {known}", path.display())]
    Format {
        /// The directory.
        path: PathBuf,
        /// Format found.
        found: u8,
        /// Format known.
        known: u8,
    },
}

/// Why the log cannot serve for now; goes into the operator's log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error("the log is closed")]
    Closed,
    #[error("the log is being reopened after a failure: {0}")]
    Reopening(String),
    #[error("the disk has {free} bytes left, and {reserve} are kept in reserve")]
    DiskFull { free: u64, reserve: u64 },
    #[error("the events could not be written: {0}")]
    Write(String),
    #[error("too much is waiting to be written")]
    Overloaded,
}

impl Refused {
    pub(crate) fn source(self) -> Source {
        Arc::new(self)
    }
}

/// What one step inside the storage engine failed with.
#[derive(Clone, Debug)]
pub(crate) enum StoreError {
    /// The operating system refused; it may pass.
    Io(String),
    /// The stored bytes are not what was written.
    Damaged(String),
}

impl From<fjall::Error> for StoreError {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "whatever else is wrong, in later versions too, is wrong with the files"
    )]
    fn from(error: fjall::Error) -> Self {
        match error {
            fjall::Error::Io(error) | fjall::Error::Storage(fjall::LsmError::Io(error)) => {
                error.into()
            }
            fjall::Error::Poisoned | fjall::Error::Locked => Self::Io(error.to_string()),
            other => Self::Damaged(other.to_string()),
        }
    }
}

impl From<io::Error> for StoreError {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the list has no end")]
    fn from(error: io::Error) -> Self {
        match error.kind() {
            // A file that should be there or should be longer: the storage engine never asks for one that it did not
            // write.
            io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData => {
                Self::Damaged(error.to_string())
            }
            _ => Self::Io(error.to_string()),
        }
    }
}

impl StoreError {
    /// Says where it happened, for whoever reads.
    pub(crate) fn at(self, place: impl FnOnce() -> String) -> ReadError {
        match self {
            Self::Io(what) => ReadError::Unavailable(Refused::Reopening(what).source()),
            Self::Damaged(what) => ReadError::Corrupt(Corruption { place: place(), what }),
        }
    }
}
