//! Running a reactor, whatever carries the events to it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use countersign_eventsourcing::{Position, Reactor};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use crate::Parked;

/// Carries events to reactors.
#[async_trait]
pub trait Bus: Send + Sync {
    /// Runs `reactor` until `stop`; what it is doing then is let finish. Whatever goes wrong, it waits and goes on. Every
    /// event that the reactor wants is dealt with at least once, and in calm once, by whichever replica it falls to.
    async fn run(&self, reactor: Arc<dyn Reactor>, stop: CancellationToken);

    /// Returns how far the reactors that run here have come. Cheap.
    fn reports(&self) -> Vec<ConsumerReport>;
}

/// How far a reactor has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConsumerReport {
    /// Its name.
    pub name: String,
    /// Whether it runs and can be given events: false while NATS or the log is away.
    pub running: bool,
    /// Place of the last event that it was done with in this process.
    pub position: Option<Position>,
    /// How many events wait for it; `None` while that is not known.
    pub pending: Option<u64>,
    /// How many events were given out more than once and are not done with, as after a crash or a failure.
    pub redelivered: u64,
    /// How many are parked, by any replica at any time, and neither dropped nor given out again.
    pub parked: u64,
    /// The newest that this process parked, oldest first.
    pub newest_parked: Vec<Parked>,
    /// What keeps it from going on; `None` in calm. Never a secret.
    pub trouble: Option<String>,
}

/// Reports of all reactors that run over one bus in this process.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reports(Arc<Mutex<BTreeMap<&'static str, ConsumerReport>>>);

impl Reports {
    pub(crate) fn change(&self, name: &'static str, change: impl FnOnce(&mut ConsumerReport)) {
        let mut reports = self.0.lock();
        let fresh = || ConsumerReport { name: name.to_owned(), ..ConsumerReport::default() };
        change(reports.entry(name).or_insert_with(fresh));
    }

    pub(crate) fn list(&self) -> Vec<ConsumerReport> {
        self.0.lock().values().cloned().collect()
    }
}

/// Waits for `pause`, or less if `stop` comes first.
pub(crate) async fn rest(pause: Duration, stop: &CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = tokio::time::sleep(pause) => {}
    }
}
