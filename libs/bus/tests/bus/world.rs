//! A NATS server, a log, and what runs over them.

use std::{future::Future, sync::Arc, time::Duration};

use async_nats::jetstream::stream::{RawMessageErrorKind, Stream};
use countersign_bus::{
    Bus as _, ConsumerSettings, DEFAULT_MAX_AGE, NatsBus, Publisher, PublisherReport,
    PublisherSettings, PublisherStatus, rebuild,
};
use countersign_eventsourcing::{EventLog, LogId, Position, Reactor, RecordedEvent};
use countersign_nats::Nats;
use countersign_testkit::NatsServer;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::test_log::TestLog;

/// How long anything may take: far longer than it does.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct World {
    pub(crate) server: NatsServer,
    pub(crate) log: Arc<TestLog>,
    pub(crate) bus: NatsBus,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::keeping(DEFAULT_MAX_AGE).await
    }

    pub(crate) async fn keeping(max_age: Duration) -> Self {
        let server = NatsServer::start().await;
        let bus = NatsBus::create(server.connect().await, max_age).await.unwrap();
        let bus = bus.with_consumers(quick());
        Self { server, log: TestLog::new(1), bus }
    }

    /// Opens the bus again over a connection of its own, as another replica does.
    pub(crate) async fn replica(&self) -> NatsBus {
        NatsBus::open(self.server.connect().await).await.unwrap().with_consumers(quick())
    }

    pub(crate) async fn publisher(&self) -> Running {
        self.publisher_of(&self.log).await
    }

    pub(crate) async fn publisher_of(&self, log: &Arc<TestLog>) -> Running {
        let log: Arc<dyn EventLog> = Arc::clone(log) as _;
        let settings = PublisherSettings {
            look_every: Duration::from_millis(200),
            ..PublisherSettings::default()
        };
        let publisher = Publisher::new(self.replica().await, log, settings);
        let status = publisher.status();
        let stop = CancellationToken::new();
        let token = stop.clone();
        let task = tokio::spawn(async move { publisher.run(token).await });
        Running { status: Some(status), stop, task }
    }

    pub(crate) async fn consumer(&self, reactor: Arc<dyn Reactor>) -> Running {
        let bus = self.replica().await;
        let stop = CancellationToken::new();
        let token = stop.clone();
        let task = tokio::spawn(async move { bus.run(reactor, token).await });
        Running { status: None, stop, task }
    }

    /// Runs a publisher until the bus has everything.
    pub(crate) async fn publish_everything(&self) {
        let publisher = self.publisher().await;
        publisher.caught_up(&self.log).await;
        publisher.stopped().await;
    }

    pub(crate) async fn nats(&self) -> Nats {
        self.server.connect().await
    }

    pub(crate) async fn stream(&self) -> Stream {
        self.nats().await.jetstream().get_stream("countersign_bus").await.unwrap()
    }

    /// Reads every event on the bus, in its order; what is none is left out.
    pub(crate) async fn published(&self) -> Vec<(LogId, RecordedEvent)> {
        let stream = self.stream().await;
        let state = stream.cached_info().state.clone();
        let mut events = Vec::new();
        for sequence in state.first_sequence.max(1)..=state.last_sequence {
            match stream.get_raw_message(sequence).await {
                Ok(message) => events.extend(rebuild(Some(&message.headers), &message.payload)),
                Err(error) => assert_eq!(error.kind(), RawMessageErrorKind::NoMessageFound),
            }
        }
        events
    }

    /// Asserts that the bus holds every event of the log once, in order.
    pub(crate) async fn assert_complete(&self) {
        let published: Vec<_> =
            self.published().await.into_iter().map(|(_, event)| event).collect();
        let expected = self.log.events();
        let places =
            |events: &[RecordedEvent]| events.iter().map(|e| e.position.0).collect::<Vec<_>>();
        assert_eq!(places(&published), places(&expected));
        assert_eq!(published, expected);
    }
}

/// Times that a test can wait for.
fn quick() -> ConsumerSettings {
    ConsumerSettings {
        ack_wait: Duration::from_millis(900),
        hold: Duration::ZERO,
        tries: 4,
        first_pause: Duration::from_millis(20),
        longest_pause: Duration::from_millis(100),
        pull_wait: Duration::from_millis(250),
        report_every: Duration::from_millis(100),
    }
}

/// A publisher or a consumer in a task.
pub(crate) struct Running {
    status: Option<PublisherStatus>,
    pub(crate) stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    pub(crate) fn report(&self) -> PublisherReport {
        self.status.as_ref().unwrap().report()
    }

    /// Waits until the bus has everything that the log holds.
    pub(crate) async fn caught_up(&self, log: &TestLog) {
        let head: Option<Position> = log.head().await.unwrap();
        eventually("the publisher catches up", async || self.report().position == head).await;
    }

    /// Ends it as a crash would.
    pub(crate) async fn killed(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }

    /// Tells it to stop, and waits until it has.
    pub(crate) async fn stopped(self) {
        self.stop.cancel();
        tokio::time::timeout(PATIENCE, self.task).await.expect("it stops").unwrap();
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.task.is_finished()
    }
}

/// Waits until `condition` holds.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    let waiting = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| unreachable!("never: {what}"));
}
