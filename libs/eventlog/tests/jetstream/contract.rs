//! The log on JetStream passes the contract of the event-log port, on one server and on three.

use std::sync::Arc;

use async_trait::async_trait;
use countersign_eventlog::jetstream::JetStreamLog;
use countersign_eventsourcing::{EventLog, contract::Harness, event_log_contract};
use countersign_testkit::{NatsCluster, NatsServer};

/// A log on servers that go on while it is closed and opened.
struct OnServers<S> {
    /// Ended with this.
    _servers: S,
    settings: countersign_nats::NatsSettings,
    log: Arc<JetStreamLog>,
}

impl<S> OnServers<S> {
    async fn new(servers: S, settings: countersign_nats::NatsSettings) -> Self {
        let nats = countersign_nats::Nats::connect(&settings).await.unwrap();
        let log = Arc::new(JetStreamLog::create(nats).await.unwrap());
        Self { _servers: servers, settings, log }
    }
}

#[async_trait]
impl<S: Send + Sync> Harness for OnServers<S> {
    fn log(&self) -> Arc<dyn EventLog> {
        Arc::clone(&self.log) as Arc<dyn EventLog>
    }

    async fn reopen(&mut self) {
        let nats = countersign_nats::Nats::connect(&self.settings).await.unwrap();
        self.log = Arc::new(JetStreamLog::open(nats).await.unwrap());
    }
}

mod on_one_server {
    use super::*;

    event_log_contract!(async || {
        let server = NatsServer::start().await;
        let settings = server.settings();
        OnServers::new(server, settings).await
    });
}

mod on_three_servers {
    use super::*;

    event_log_contract!(async || {
        let cluster = NatsCluster::start().await;
        let settings = cluster.settings();
        OnServers::new(cluster, settings).await
    });
}
