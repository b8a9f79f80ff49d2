//! Reactors of this process on the bus, and what whoever looks after the installation is told of them.

use std::sync::Arc;

use countersign_bus::{Bus, ConsumerReport};
use countersign_eventsourcing::Reactor;

use crate::{Board, FollowerReport, PassedEvent, PassedOver, lifecycle::Lifecycle};

impl Board {
    /// Runs `reactor` on the bus until `lifecycle` stops, and puts it on the board. The bus sees to it that of all replicas
    /// one at a time acts because of an event.
    pub fn run_reactor<R: Reactor + 'static>(
        &self,
        lifecycle: &Lifecycle,
        bus: &Arc<dyn Bus>,
        reactor: &Arc<R>,
        passed_over: fn(&R) -> &PassedOver,
    ) {
        let (carrier, stop) = (Arc::clone(bus), lifecycle.stopping());
        let running = Arc::clone(reactor) as Arc<dyn Reactor>;
        lifecycle.spawn_to_its_end(async move { carrier.run(running, stop).await });
        let (bus, reactor) = (Arc::clone(bus), Arc::clone(reactor));
        self.add(move || {
            let own = bus.reports().into_iter().filter(|report| report.name == reactor.name());
            own.map(|report| shown(report, passed_over(&reactor))).collect()
        });
    }
}

/// Shows how far a reactor has come. A reactor never keeps its service from being ready: what waits for it is done later.
fn shown(report: ConsumerReport, passed_over: &PassedOver) -> FollowerReport {
    let mut newest = passed_over.newest();
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
        passed_over: passed_over.count() + report.parked,
        newest_passed_over: newest,
        pending: report.pending,
        trouble: report.trouble,
    }
}
