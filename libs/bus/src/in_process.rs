//! The bus of the single process: reactors follow the log itself.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use countersign_core::Chain;
use countersign_eventsourcing::{
    CheckpointStore, EventLog, Filter, Poison, Reactor, RecordedEvent, Source, run_reactor,
};
use tokio_util::sync::CancellationToken;

use crate::{
    Bus, ConsumerReport,
    bus::{Reports, rest},
    pause::Pause,
};

/// Pauses before a reactor begins again at its checkpoint.
const PAUSES: Pause = Pause::new(Duration::from_millis(500), Duration::from_secs(2));

/// Runs reactors over the log with checkpoints. Of all processes over one log, only one may: two would act twice.
#[derive(Clone)]
pub struct InProcessBus {
    log: Arc<dyn EventLog>,
    checkpoints: Arc<dyn CheckpointStore>,
    reports: Reports,
}

impl fmt::Debug for InProcessBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InProcessBus").field("reports", &self.reports).finish_non_exhaustive()
    }
}

impl InProcessBus {
    /// Makes it over `log`. Reactors without a checkpoint begin at the log's beginning.
    #[must_use]
    pub fn new(log: Arc<dyn EventLog>, checkpoints: Arc<dyn CheckpointStore>) -> Self {
        Self { log, checkpoints, reports: Reports::default() }
    }
}

#[async_trait]
impl Bus for InProcessBus {
    async fn run(&self, reactor: Arc<dyn Reactor>, stop: CancellationToken) {
        let name = reactor.name();
        let watched = Watched { reactor, reports: self.reports.clone() };
        let mut pauses = PAUSES;
        while !stop.is_cancelled() {
            self.reports.change(name, |report| report.running = true);
            let ran = run_reactor(&self.log, &watched, &*self.checkpoints, stop.cancelled()).await;
            let Err(error) = ran else { break };
            let trouble = Chain(&error).to_string();
            tracing::warn!(reactor = name, error = trouble, "reactor stopped; it will begin again");
            self.reports.change(name, |report| {
                report.running = false;
                report.trouble = Some(trouble);
            });
            rest(pauses.next(), &stop).await;
        }
        self.reports.change(name, |report| report.running = false);
    }

    fn reports(&self) -> Vec<ConsumerReport> {
        self.reports.list()
    }
}

/// A reactor and how far it has come.
struct Watched {
    reactor: Arc<dyn Reactor>,
    reports: Reports,
}

#[async_trait]
impl Reactor for Watched {
    fn name(&self) -> &'static str {
        self.reactor.name()
    }

    fn filter(&self) -> Filter {
        self.reactor.filter()
    }

    async fn react(&self, event: &RecordedEvent) -> Result<(), Source> {
        self.reactor.react(event).await?;
        self.reports.change(self.name(), |report| {
            report.position = Some(event.position);
            report.trouble = None;
        });
        Ok(())
    }

    async fn poisoned(&self, poison: &Poison) {
        self.reactor.poisoned(poison).await;
        self.reports.change(self.name(), |report| report.position = Some(poison.position));
    }
}
