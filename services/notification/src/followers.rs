//! The service's followers: made once, then run for as long as the process lives.

use std::sync::Arc;

use countersign_bus::{Bus, ConsumerReport};
use countersign_eventsourcing::Reactor;
use countersign_providers::Messenger;
use countersign_service::{
    Board, FollowerReport, Foundation, PassedEvent, PassedOver, lifecycle::Lifecycle,
};

use crate::{AccountNotices, Deliveries, DeliverySender};

/// The two reactors and the read model.
#[derive(Debug)]
pub struct Followers {
    foundation: Arc<Foundation>,
    notices: Arc<AccountNotices>,
    sender: Arc<DeliverySender>,
    deliveries: Arc<Deliveries>,
}

impl Followers {
    /// Makes them; nothing runs yet.
    #[must_use]
    pub fn new(foundation: Arc<Foundation>, messenger: Arc<dyn Messenger>) -> Self {
        Self {
            notices: Arc::new(AccountNotices::new(Arc::clone(&foundation))),
            sender: Arc::new(DeliverySender::new(Arc::clone(&foundation), messenger)),
            deliveries: Arc::default(),
            foundation,
        }
    }

    /// Returns the read model, for the server.
    #[must_use]
    pub fn deliveries(&self) -> Arc<Deliveries> {
        Arc::clone(&self.deliveries)
    }

    /// Returns how many events were passed over because they cannot be read or acted upon. Each has a line in the
    /// process's log.
    #[must_use]
    pub fn passed_over(&self) -> u64 {
        [self.notices.passed_over(), self.sender.passed_over(), self.deliveries.passed_over()]
            .into_iter()
            .map(PassedOver::count)
            .sum()
    }

    /// Runs them until `lifecycle` stops, and puts them on `board`. The reactors run on the bus, which sees to it that of
    /// all replicas one at a time acts because of an event.
    pub fn spawn(&self, lifecycle: &Lifecycle, bus: &Arc<dyn Bus>, board: &Board) {
        let reactors: [Arc<dyn Reactor>; 2] =
            [Arc::clone(&self.notices) as _, Arc::clone(&self.sender) as _];
        for reactor in reactors {
            let (bus, stop) = (Arc::clone(bus), lifecycle.stopping());
            lifecycle.spawn_to_its_end(async move { bus.run(reactor, stop).await });
        }
        let (bus, notices, sender) =
            (Arc::clone(bus), Arc::clone(&self.notices), Arc::clone(&self.sender));
        board.add(move || {
            let passed_over =
                [(notices.name(), notices.passed_over()), (sender.name(), sender.passed_over())];
            bus.reports().into_iter().map(|report| shown(report, &passed_over)).collect()
        });
        let passed_over = Deliveries::passed_over;
        board.run_projection(
            lifecycle,
            &self.foundation,
            Arc::clone(&self.deliveries),
            passed_over,
        );
    }
}

/// Shows how far a reactor has come. A reactor never keeps its service from being ready: what waits for it is done later.
fn shown(report: ConsumerReport, passed_over: &[(&str, &PassedOver)]) -> FollowerReport {
    let known = passed_over.iter().find(|(name, _)| *name == report.name).map(|(_, known)| known);
    let mut newest = known.map(|known| known.newest()).unwrap_or_default();
    newest.extend(report.newest_parked.into_iter().map(|parked| PassedEvent {
        position: None,
        place: parked.place,
        what: parked.reason,
    }));
    FollowerReport {
        name: report.name,
        caught_up: true,
        standing_by: false,
        position: report.position,
        delay: None,
        passed_over: known.map_or(0, |known| known.count()) + report.parked,
        newest_passed_over: newest,
        pending: report.pending,
        trouble: report.trouble,
    }
}
