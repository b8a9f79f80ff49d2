//! Reactors as durable consumers: JetStream gives each event to one replica at a time, and again until it is
//! acknowledged.

mod durable;
mod outcome;
mod work;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use countersign_core::Chain;
use countersign_eventsourcing::Reactor;
use tokio_util::sync::CancellationToken;

use self::{durable::Durable, work::Worker};
use crate::{Bus, BusError, ConsumerReport, NatsBus, bus::rest, names::Names, pause::Pause};

/// How consumers work. The same on all replicas of a service.
#[derive(Clone, Debug)]
pub struct ConsumerSettings {
    /// How long JetStream waits for a replica that says nothing before it gives the event to another. One that works says
    /// so three times in this time.
    pub ack_wait: Duration,
    /// How long a replica that failed at an event keeps it and tries again by itself, so that what it knows of it is not
    /// lost to another. Meanwhile it does nothing else.
    pub hold: Duration,
    /// How often an event is given out before it is parked. Between two times lies at first a second, then twice that,
    /// up to [`longest_pause`](Self::longest_pause), and up to [`hold`](Self::hold) on top: by default a little more than
    /// an hour in all. Trouble that lasts is settled by the reactor itself, so whoever fails that long waits for a log or
    /// for keys that are away, and the operator gives the event out again once they are back.
    pub tries: u32,
    /// First pause before an event is given out again.
    pub first_pause: Duration,
    /// Longest pause before an event is given out again.
    pub longest_pause: Duration,
    /// How long one request for an event waits for one. Bounds how long a stop takes in calm.
    pub pull_wait: Duration,
    /// How often the report is brought up to date.
    pub report_every: Duration,
}

impl Default for ConsumerSettings {
    fn default() -> Self {
        Self {
            ack_wait: Duration::from_secs(30),
            hold: Duration::from_secs(15),
            tries: 64,
            first_pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(60),
            pull_wait: Duration::from_secs(1),
            report_every: Duration::from_secs(2),
        }
    }
}

#[async_trait]
impl Bus for NatsBus {
    async fn run(&self, reactor: Arc<dyn Reactor>, stop: CancellationToken) {
        let name = reactor.name();
        let mut pauses = Pause::new(Duration::from_millis(50), Duration::from_secs(2));
        let mut worker = Worker::new(self.clone(), reactor, stop.clone());
        while !stop.is_cancelled() {
            let error = match self.consume(&mut worker, &mut pauses).await {
                Ok(()) => break,
                Err(error) => Chain(&error).to_string(),
            };
            tracing::warn!(reactor = name, error, "reactor stopped; it will begin again");
            self.reports.change(name, |report| {
                report.running = false;
                report.trouble = Some(error);
            });
            rest(pauses.next(), &stop).await;
        }
        self.reports.change(name, |report| report.running = false);
    }

    fn reports(&self) -> Vec<ConsumerReport> {
        self.reports.list()
    }
}

impl NatsBus {
    /// Deals with one event after the other until the worker is told to stop.
    async fn consume(&self, worker: &mut Worker, pauses: &mut Pause) -> Result<(), BusError> {
        let filter = worker.reactor.filter();
        let consumer = Names::consumer(worker.reactor.name());
        let durable = Durable::ensure(self, &consumer, &filter).await?;
        worker.begins(&durable).await?;
        while !worker.stop.is_cancelled() {
            match durable.pull().await? {
                Some(message) if worker.stop.is_cancelled() => worker.give_back(&message).await?,
                Some(message) => worker.deal_with(&filter, &consumer, message).await?,
                None => {}
            }
            pauses.over();
            worker.report(&durable).await?;
        }
        Ok(())
    }
}
