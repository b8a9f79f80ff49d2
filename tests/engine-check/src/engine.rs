//! The log under check, open.

use std::sync::Arc;

use async_trait::async_trait;
use countersign::engines::{LogAddress, OpenLog, open_log};
use countersign_eventsourcing::{EventLog, contract::Harness};

/// Where a log is opened, again and again.
#[async_trait]
pub trait Place: Send + Sync {
    /// Opens it.
    ///
    /// # Errors
    /// Says why that cannot be.
    async fn open(&self) -> anyhow::Result<OpenLog>;

    /// Returns the address by which other processes open it; `None` if they cannot.
    fn address(&self) -> Option<&LogAddress> {
        None
    }
}

/// A log at an address.
#[derive(Clone, Debug)]
pub struct At(pub LogAddress);

#[async_trait]
impl Place for At {
    async fn open(&self) -> anyhow::Result<OpenLog> {
        open_log(&self.0).await
    }

    fn address(&self) -> Option<&LogAddress> {
        Some(&self.0)
    }
}

/// A log that is open, and can be closed and opened again.
pub struct Engine {
    place: Arc<dyn Place>,
    open: Option<OpenLog>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("open", &self.open).finish_non_exhaustive()
    }
}

impl Engine {
    /// Opens the log at `place`.
    ///
    /// # Errors
    /// Says why that cannot be.
    pub async fn open(place: Arc<dyn Place>) -> anyhow::Result<Self> {
        let open = Some(place.open().await?);
        Ok(Self { place, open })
    }

    /// Closes it.
    pub async fn close(&mut self) {
        if let Some(open) = self.open.take() {
            open.close().await;
        }
    }

    /// Returns the address by which other processes open it.
    pub(crate) fn address(&self) -> Option<&LogAddress> {
        self.place.address()
    }

    /// Returns whether several processes may have it open at once.
    pub(crate) fn is_shared(&self) -> bool {
        match self.address() {
            Some(LogAddress::JetStream(_) | LogAddress::KurrentDb(_)) => true,
            Some(LogAddress::Embedded(_)) | None => false,
        }
    }
}

#[async_trait]
impl Harness for Engine {
    fn log(&self) -> Arc<dyn EventLog> {
        self.open.as_ref().unwrap().log()
    }

    async fn reopen(&mut self) {
        self.close().await;
        match self.place.open().await {
            Ok(open) => self.open = Some(open),
            Err(error) => panic!("it cannot be opened again: {error:#}"),
        }
    }
}
