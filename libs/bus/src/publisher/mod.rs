//! Copies the log to the bus: every event once, in order, with any number of publishers running.
//!
//! How far the bus has come stands on the bus: its last event names its place in the log. Whoever publishes says after
//! which message of the bus each of its own must stand (`Nats-Expected-Last-Sequence`), so that of two publishers only
//! one goes on; the other stands by and looks about every second whether the bus lags the log and does not move. What the
//! last message cannot say (it has aged out, or the log ended in something unreadable) is kept in a small state beside.

mod active;
mod end;
mod flight;
mod kept;
mod poison;
mod status;

use std::{fmt, sync::Arc, time::Duration};

use countersign_core::Chain;
use countersign_eventsourcing::{EventLog, Position};
use tokio_util::sync::CancellationToken;

pub use status::{PublisherReport, PublisherStatus};

use self::active::Turn;
use crate::{
    BusError, NatsBus,
    bus::rest,
    pause::{Pause, jittered},
};

/// How a publisher works.
#[derive(Clone, Debug)]
pub struct PublisherSettings {
    /// How often one that stands by looks whether the bus lags the log. It takes over at the second look in a row that
    /// finds it lagging and not moving.
    pub look_every: Duration,
    /// How many events may be under way to NATS at once.
    pub in_flight: usize,
    /// How often an active one saves how far it has come.
    pub save_every: Duration,
}

impl Default for PublisherSettings {
    fn default() -> Self {
        Self {
            look_every: Duration::from_secs(1),
            in_flight: 512,
            save_every: Duration::from_millis(500),
        }
    }
}

/// Copies one log to the bus.
pub struct Publisher {
    bus: NatsBus,
    log: Arc<dyn EventLog>,
    settings: PublisherSettings,
    /// Tells this publisher from all others, in a header of what it publishes.
    name: String,
    status: PublisherStatus,
}

impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publisher").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Publisher {
    /// Makes one; nothing runs yet.
    #[must_use]
    pub fn new(bus: NatsBus, log: Arc<dyn EventLog>, settings: PublisherSettings) -> Self {
        // The client draws inboxes at random; what comes after the last dot is unique.
        let inbox = bus.nats.client().new_inbox();
        let name = inbox.rsplit('.').next().unwrap_or(&inbox).to_owned();
        Self { bus, log, settings, name, status: PublisherStatus::default() }
    }

    /// Returns what this publisher is doing, now and later.
    #[must_use]
    pub fn status(&self) -> PublisherStatus {
        self.status.clone()
    }

    /// Publishes, or stands by, until `stop`. Whatever goes wrong, it waits a little and goes on.
    pub async fn run(&self, stop: CancellationToken) {
        let mut pauses = Pause::new(Duration::from_millis(50), Duration::from_secs(2));
        // Something that JetStream knows already although it does not stand behind the bus's last event.
        let mut passed: Option<Position> = None;
        let mut turn = Turn::GoOn;
        while !stop.is_cancelled() {
            let next = match turn {
                Turn::GoOn => self.publish(&mut passed, &mut pauses, &stop).await,
                Turn::StandBy { soon } => self.stand_by(soon, &stop).await,
                Turn::Stop => break,
            };
            match next {
                Ok(next) => turn = next,
                Err(error) => {
                    let trouble = Chain(&error).to_string();
                    tracing::warn!(error = trouble, "publishing stopped; it will begin again");
                    self.status.change(|report| report.trouble = Some(trouble));
                    rest(pauses.next(), &stop).await;
                }
            }
        }
        self.status.change(|report| report.active = false);
    }

    /// Waits until the bus lags the log and nobody publishes.
    async fn stand_by(&self, soon: bool, stop: &CancellationToken) -> Result<Turn, BusError> {
        self.status.change(|report| report.active = false);
        let mut before = None;
        let mut pause = self.settings.look_every / if soon { 8 } else { 1 };
        while !stop.is_cancelled() {
            let end = self.end().await?;
            let head = self.log.head().await?;
            self.status.change(|report| {
                report.position = end.position;
                report.head = head;
                report.poison = end.kept.poison;
                report.trouble = None;
            });
            let lags = head > end.position;
            if lags && before == Some((end.sequence, end.position)) {
                tracing::info!("nobody publishes; taking over");
                return Ok(Turn::GoOn);
            }
            before = lags.then_some((end.sequence, end.position));
            rest(jittered(pause), stop).await;
            pause = self.settings.look_every;
        }
        Ok(Turn::Stop)
    }
}
