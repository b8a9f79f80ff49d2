//! What a publisher is doing, for whoever looks after the installation.

use std::{fmt, sync::Arc};

use countersign_eventsourcing::Position;
use parking_lot::Mutex;

use crate::{Parked, parked::Newest};

/// What a publisher is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PublisherReport {
    /// Whether it publishes; otherwise another one does, and this one stands by.
    pub active: bool,
    /// Place in the log of the last event on the bus.
    pub position: Option<Position>,
    /// Place of the log's last event, at the last look.
    pub head: Option<Position>,
    /// How many things the log holds that cannot be published, as counted by all publishers together.
    pub poison: u64,
    /// The newest of those that this process met, oldest first.
    pub newest_poison: Vec<Parked>,
    /// What keeps it from going on; `None` in calm. Never a secret.
    pub trouble: Option<String>,
}

impl PublisherReport {
    /// Returns how far the bus is behind the log, in positions: 0 if it has everything.
    #[must_use]
    pub fn lag(&self) -> u64 {
        let behind = |position: Option<Position>| position.map_or(0, |at| at.0.saturating_add(1));
        behind(self.head).saturating_sub(behind(self.position))
    }
}

/// What a publisher is doing, now and later. Cheap to clone.
#[derive(Clone, Default)]
pub struct PublisherStatus(Arc<Mutex<(PublisherReport, Newest)>>);

impl fmt::Debug for PublisherStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.report().fmt(f)
    }
}

impl PublisherStatus {
    /// Returns what it is doing now.
    #[must_use]
    pub fn report(&self) -> PublisherReport {
        let status = self.0.lock();
        let (report, newest) = &*status;
        PublisherReport { newest_poison: newest.list(), ..report.clone() }
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut PublisherReport)) {
        change(&mut self.0.lock().0);
    }

    pub(super) fn note(&self, parked: Parked) {
        self.0.lock().1.note(parked);
    }
}
