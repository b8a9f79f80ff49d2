//! The engine on KurrentDB passes the contract of the event-log port: over the double of the test kit, and where the
//! environment variable `COUNTERSIGN_TEST_KURRENTDB` holds a connection string, over the real server there. It must take
//! appends of 8 MiB (`MaxAppendSize`), and the user must be allowed to read `$all`:
//!
//! ```text
//! docker run -p 2113:2113 -e KURRENTDB_INSECURE=true -e KURRENTDB_MAX_APPEND_SIZE=8388608 kurrentplatform/kurrentdb
//! COUNTERSIGN_TEST_KURRENTDB='kurrentdb://127.0.0.1:2113?tls=false' cargo nextest run -p countersign-eventlog kurrentdb
//! ```

#![expect(clippy::unwrap_used, reason = "a failed test says so by panicking")]

use std::sync::Arc;

use async_trait::async_trait;
use countersign_eventlog::kurrentdb::KurrentDbLog;
use countersign_eventsourcing::{EventLog, contract::Harness, event_log_contract};
use countersign_testkit::KurrentDb;

const REAL: &str = "COUNTERSIGN_TEST_KURRENTDB";

struct Opened {
    /// Kept for as long as the log is.
    _double: Option<KurrentDb>,
    url: String,
    log: Arc<KurrentDbLog>,
}

impl Opened {
    async fn start() -> Self {
        let (double, url) = match std::env::var_os(REAL) {
            Some(url) => (None, url.into_string().unwrap()),
            None => {
                let double = KurrentDb::start().await;
                let url = double.url();
                (Some(double), url)
            }
        };
        let log = Arc::new(KurrentDbLog::open(&url).await.unwrap());
        Self { _double: double, url, log }
    }
}

#[async_trait]
impl Harness for Opened {
    fn log(&self) -> Arc<dyn EventLog> {
        Arc::clone(&self.log) as Arc<dyn EventLog>
    }

    /// The server goes on; the process that used it is a new one.
    async fn reopen(&mut self) {
        self.log = Arc::new(KurrentDbLog::open(&self.url).await.unwrap());
    }
}

event_log_contract!(Opened::start);
