//! The event logs that there are, by their addresses: [`LogAddress`] says where, [`open_log`] and [`create_log`] open it.

mod address;

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use countersign_eventlog::{
    embedded::{EmbeddedLog, EmbeddedOptions},
    jetstream::JetStreamLog,
    kurrentdb::KurrentDbLog,
};
use countersign_eventsourcing::EventLog;
use countersign_nats::Nats;

pub(crate) use self::address::without_login;
pub use self::address::{AddressError, LogAddress};

/// The file in a data directory by which it is known to hold a log.
const EMBEDDED_DATABASE: &str = "db";

/// A log that is open.
pub struct OpenLog {
    log: Arc<dyn EventLog>,
    embedded: Option<Arc<EmbeddedLog>>,
}

impl fmt::Debug for OpenLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenLog").field("id", &self.log.id()).finish_non_exhaustive()
    }
}

impl OpenLog {
    /// Takes over a log that need not be closed.
    #[must_use]
    pub fn new(log: Arc<dyn EventLog>) -> Self {
        Self { log, embedded: None }
    }

    /// Returns the log.
    #[must_use]
    pub fn log(&self) -> Arc<dyn EventLog> {
        Arc::clone(&self.log)
    }

    /// Closes it: what was given to it is written, and a data directory is let go.
    pub async fn close(self) {
        if let Some(embedded) = self.embedded {
            embedded.close().await;
        }
    }

    fn of_embedded(log: EmbeddedLog) -> Self {
        let log = Arc::new(log);
        Self { log: Arc::clone(&log) as Arc<dyn EventLog>, embedded: Some(log) }
    }
}

/// Opens the log at `address`, which must be there.
///
/// # Errors
/// Says that there is none, or why it cannot be opened.
pub async fn open_log(address: &LogAddress) -> anyhow::Result<OpenLog> {
    match address {
        LogAddress::Embedded(directory) => {
            // Opening makes what is missing, and a mistyped path is not to become an empty log.
            anyhow::ensure!(
                directory.join(EMBEDDED_DATABASE).is_dir(),
                "there is no event log in {}",
                directory.display()
            );
            embedded(directory).await
        }
        LogAddress::JetStream(settings) => {
            let log = JetStreamLog::open(Nats::connect(settings).await?).await?;
            Ok(OpenLog::new(Arc::new(log)))
        }
        LogAddress::KurrentDb(connection) => {
            Ok(OpenLog::new(Arc::new(KurrentDbLog::open(connection.expose()).await?)))
        }
    }
}

/// Opens the log at `address`, and makes it if it is not there.
///
/// # Errors
/// Says why it can be neither opened nor made.
pub async fn create_log(address: &LogAddress) -> anyhow::Result<OpenLog> {
    match address {
        LogAddress::Embedded(directory) => embedded(directory).await,
        LogAddress::JetStream(settings) => {
            let log = JetStreamLog::create(Nats::connect(settings).await?).await?;
            Ok(OpenLog::new(Arc::new(log)))
        }
        LogAddress::KurrentDb(connection) => {
            Ok(OpenLog::new(Arc::new(KurrentDbLog::open(connection.expose()).await?)))
        }
    }
}

async fn embedded(directory: &Path) -> anyhow::Result<OpenLog> {
    let directory: PathBuf = directory.to_owned();
    let open = move || EmbeddedLog::open(&directory, EmbeddedOptions::default());
    Ok(OpenLog::of_embedded(tokio::task::spawn_blocking(open).await??))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_log_is_made_only_when_asked_for() {
        let directory = tempfile::tempdir().unwrap();
        let address = LogAddress::Embedded(directory.path().join("data"));
        let refused = open_log(&address).await.unwrap_err();
        assert!(refused.to_string().contains("there is no event log in"), "{refused}");
        assert!(!directory.path().join("data").exists());
        let made = create_log(&address).await.unwrap();
        let id = made.log().id();
        made.close().await;
        let open = open_log(&address).await.unwrap();
        assert_eq!(open.log().id(), id);
        open.close().await;
    }
}
