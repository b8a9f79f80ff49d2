//! Every engine passes the contract of the event-log port.

#![expect(clippy::unwrap_used, reason = "a failed test says so by panicking")]

use std::sync::Arc;

use async_trait::async_trait;
use countersign_eventlog::{
    embedded::{EmbeddedLog, EmbeddedOptions},
    memory::MemoryLog,
};
use countersign_eventsourcing::{EventLog, contract::Harness, event_log_contract};

mod memory {
    use super::{Arc, EventLog, Harness, MemoryLog, async_trait, event_log_contract};

    struct Memory(Arc<MemoryLog>);

    #[async_trait]
    impl Harness for Memory {
        fn log(&self) -> Arc<dyn EventLog> {
            Arc::clone(&self.0) as Arc<dyn EventLog>
        }

        /// It ends with the process, so the process goes on.
        async fn reopen(&mut self) {}
    }

    event_log_contract!(|| async { Memory(Arc::default()) });
}

mod embedded {
    use super::{
        Arc, EmbeddedLog, EmbeddedOptions, EventLog, Harness, async_trait, event_log_contract,
    };

    struct Embedded {
        directory: tempfile::TempDir,
        log: Option<Arc<EmbeddedLog>>,
    }

    impl Embedded {
        async fn start() -> Self {
            let mut embedded = Self { directory: tempfile::tempdir().unwrap(), log: None };
            embedded.reopen().await;
            embedded
        }
    }

    #[async_trait]
    impl Harness for Embedded {
        fn log(&self) -> Arc<dyn EventLog> {
            self.log.clone().unwrap()
        }

        async fn reopen(&mut self) {
            if let Some(log) = self.log.take() {
                log.close().await;
            }
            let log = EmbeddedLog::open(self.directory.path(), EmbeddedOptions::default());
            self.log = Some(Arc::new(log.unwrap()));
        }
    }

    event_log_contract!(|| async { Embedded::start().await });
}
