//! The service's followers: made once, then run for as long as the process lives.

use std::sync::Arc;

use countersign_bus::Bus;
use countersign_providers::Messenger;
use countersign_service::{Board, Foundation, PassedOver, lifecycle::Lifecycle};

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

    /// Runs them until `lifecycle` stops, and puts them on `board`.
    pub fn spawn(&self, lifecycle: &Lifecycle, bus: &Arc<dyn Bus>, board: &Board) {
        board.run_reactor(lifecycle, bus, &self.notices, AccountNotices::passed_over);
        board.run_reactor(lifecycle, bus, &self.sender, DeliverySender::passed_over);
        let passed_over = Deliveries::passed_over;
        board.run_projection(
            lifecycle,
            &self.foundation,
            Arc::clone(&self.deliveries),
            passed_over,
        );
    }
}
