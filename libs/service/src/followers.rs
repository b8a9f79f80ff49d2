//! What follows the log in this process, and how far each has come: behind readiness, and what whoever looks after the
//! installation is told.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use countersign_core::Clock;
use countersign_eventsourcing::{
    Filter, MemoryCheckpoints, Poison, Position, Projection, RecordedEvent, Source, run_projection,
};
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::{Foundation, PassedEvent, PassedOver, lifecycle::Lifecycle};

/// How far a follower has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FollowerReport {
    /// Its name.
    pub name: String,
    /// Whether it has seen everything that was there when it began.
    pub caught_up: bool,
    /// Whether another replica does its work at present.
    pub standing_by: bool,
    /// The last place in the log that it is done with; `None` if there was none yet.
    pub position: Option<Position>,
    /// How long after it was recorded the newest event was dealt with: seconds after a start, milliseconds in calm.
    pub delay: Option<Duration>,
    /// How many events were passed over since the process started, because they cannot be read or acted upon.
    pub passed_over: u64,
    /// The newest of those, oldest first.
    pub newest_passed_over: Vec<PassedEvent>,
    /// How many events wait for it, where that is known.
    pub pending: Option<u64>,
    /// What keeps it from going on; `None` in calm.
    pub trouble: Option<String>,
}

type Report = dyn Fn() -> Vec<FollowerReport> + Send + Sync;

/// Everything that follows the log in this process. Cheap to clone.
#[derive(Clone)]
pub struct Board(Arc<Posted>);

struct Posted {
    reports: Mutex<Vec<Box<Report>>>,
    /// Counts changes, so that whoever waits for readiness looks again.
    changes: watch::Sender<u64>,
}

impl Default for Board {
    fn default() -> Self {
        Self(Arc::new(Posted { reports: Mutex::default(), changes: watch::Sender::new(0) }))
    }
}

impl fmt::Debug for Board {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.reports()).finish()
    }
}

impl Board {
    /// Adds followers, which are asked by `report` whenever somebody wants to know.
    pub fn add(&self, report: impl Fn() -> Vec<FollowerReport> + Send + Sync + 'static) {
        self.0.reports.lock().push(Box::new(report));
        self.changed();
    }

    /// Says that a follower has caught up.
    fn changed(&self) {
        self.0.changes.send_modify(|count| *count += 1);
    }

    /// Returns how far each has come.
    #[must_use]
    pub fn reports(&self) -> Vec<FollowerReport> {
        self.0.reports.lock().iter().flat_map(|report| report()).collect()
    }

    /// Waits until every projection on the board has caught up.
    pub async fn caught_up(&self) {
        let mut changes = self.0.changes.subscribe();
        // The sender lives in `self`, so waiting cannot fail.
        while !self.reports().iter().all(|report| report.caught_up)
            && changes.changed().await.is_ok()
        {}
    }

    /// Runs a read model that lives in memory, from the log's beginning, for as long as `lifecycle`, and puts it on the
    /// board.
    pub fn run_projection<P: Projection + 'static>(
        &self,
        lifecycle: &Lifecycle,
        foundation: &Arc<Foundation>,
        projection: Arc<P>,
        passed_over: fn(&P) -> &PassedOver,
    ) {
        let watched = Arc::new(Watched {
            projection: Arc::clone(&projection),
            progress: Mutex::default(),
            clock: Arc::clone(&foundation.clock),
            board: self.clone(),
        });
        let seen = Arc::clone(&watched);
        self.add(move || {
            let passed_over = passed_over(&projection);
            vec![FollowerReport {
                passed_over: passed_over.count(),
                newest_passed_over: passed_over.newest(),
                ..seen.progress.lock().clone()
            }]
        });
        watched.progress.lock().name = watched.projection.name().to_owned();
        // The read model lives in memory, so its checkpoint must not outlive it.
        let checkpoints = Arc::<MemoryCheckpoints>::default();
        let foundation = Arc::clone(foundation);
        lifecycle.spawn_follower(move || {
            let (foundation, watched) = (Arc::clone(&foundation), Arc::clone(&watched));
            let checkpoints = Arc::clone(&checkpoints);
            async move { run_projection(&foundation.log, &*watched, &*checkpoints).await }
        });
    }
}

/// A projection and how far it has come.
struct Watched<P> {
    projection: Arc<P>,
    progress: Mutex<FollowerReport>,
    clock: Arc<dyn Clock>,
    board: Board,
}

#[async_trait]
impl<P: Projection> Projection for Watched<P> {
    fn name(&self) -> &'static str {
        self.projection.name()
    }

    fn filter(&self) -> Filter {
        self.projection.filter()
    }

    async fn apply(&self, event: &RecordedEvent) -> Result<(), Source> {
        self.projection.apply(event).await?;
        let delay = self.clock.now().since(event.event.metadata.recorded_at);
        let mut progress = self.progress.lock();
        progress.position = Some(event.position);
        progress.delay = Some(delay);
        Ok(())
    }

    async fn caught_up(&self) {
        self.projection.caught_up().await;
        self.progress.lock().caught_up = true;
        self.board.changed();
    }

    async fn poisoned(&self, poison: &Poison) {
        self.projection.poisoned(poison).await;
        self.progress.lock().position = Some(poison.position);
    }
}
