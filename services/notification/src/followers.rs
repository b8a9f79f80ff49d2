//! The service's followers: made once, then run for as long as the process lives.

use std::sync::Arc;

use countersign_eventsourcing::{
    CheckpointStore, MemoryCheckpoints, Projection, Reactor, run_projection,
};
use countersign_providers::Messenger;
use countersign_service::{Foundation, PassedOver, lifecycle::Lifecycle};

use crate::{AccountNotices, Deliveries, DeliverySender};

/// The two reactors and the read model. Of all processes over one log, only one may run the reactors: two would send
/// the same message at the same time.
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

    /// Runs them until `lifecycle` stops. Reactors without a checkpoint begin at the log's beginning.
    pub fn spawn(&self, lifecycle: &Lifecycle, checkpoints: &Arc<dyn CheckpointStore>) {
        let reactors: [Arc<dyn Reactor>; 2] =
            [Arc::clone(&self.notices) as _, Arc::clone(&self.sender) as _];
        for reactor in reactors {
            let log = Arc::clone(&self.foundation.log);
            lifecycle.spawn_reactor(log, reactor, Arc::clone(checkpoints));
        }
        self.spawn_projection(lifecycle);
    }

    fn spawn_projection(&self, lifecycle: &Lifecycle) {
        let foundation = Arc::clone(&self.foundation);
        let projection: Arc<dyn Projection> = Arc::clone(&self.deliveries) as _;
        // The read model lives in memory, so its checkpoint must not outlive it.
        let checkpoints = Arc::new(MemoryCheckpoints::default());
        lifecycle.spawn_follower(move || {
            let (foundation, projection) = (Arc::clone(&foundation), Arc::clone(&projection));
            let checkpoints = Arc::clone(&checkpoints);
            async move { run_projection(&foundation.log, &*projection, &*checkpoints).await }
        });
    }
}
