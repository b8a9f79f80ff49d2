//! A reactor that notes what it was given, and does as it is told.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use countersign_eventsourcing::{Filter, Poison, Position, Reactor, RecordedEvent, Source};
use countersign_nats::NatsAway;
use tokio::sync::Semaphore;

pub(crate) struct Recorder {
    filter: Filter,
    /// Taken one for each event, and not given back.
    gate: Semaphore,
    /// Places of events that fail, and how often they still do.
    failing: Mutex<BTreeMap<u64, usize>>,
    /// How long each takes.
    takes: Duration,
    begun: Mutex<Vec<RecordedEvent>>,
    done: Mutex<Vec<RecordedEvent>>,
}

impl Recorder {
    pub(crate) fn new(filter: Filter) -> Arc<Self> {
        Arc::new(Self::open(filter))
    }

    fn open(filter: Filter) -> Self {
        Self {
            filter,
            gate: Semaphore::new(Semaphore::MAX_PERMITS),
            failing: Mutex::default(),
            takes: Duration::ZERO,
            begun: Mutex::default(),
            done: Mutex::default(),
        }
    }

    /// One that finishes no event before [`let_through`](Self::let_through).
    pub(crate) fn shut(filter: Filter) -> Arc<Self> {
        Arc::new(Self { gate: Semaphore::new(0), ..Self::open(filter) })
    }

    /// One that takes its time for each.
    pub(crate) fn slow(filter: Filter, takes: Duration) -> Arc<Self> {
        Arc::new(Self { takes, ..Self::open(filter) })
    }

    pub(crate) fn let_through(&self, count: usize) {
        self.gate.add_permits(count);
    }

    /// Fails at the events in these places until told otherwise.
    pub(crate) fn fail_at(&self, places: &[u64]) {
        *self.failing.lock().unwrap() = places.iter().map(|at| (*at, usize::MAX)).collect();
    }

    /// Fails so many times at the event in this place.
    pub(crate) fn fail_times(&self, place: u64, times: usize) {
        self.failing.lock().unwrap().insert(place, times);
    }

    pub(crate) fn begun(&self) -> usize {
        self.begun.lock().unwrap().len()
    }

    pub(crate) fn done(&self) -> Vec<RecordedEvent> {
        self.done.lock().unwrap().clone()
    }

    /// Returns how often each event was done.
    pub(crate) fn counts(recorders: &[&Arc<Self>]) -> BTreeMap<Position, usize> {
        let mut counts = BTreeMap::new();
        for event in recorders.iter().flat_map(|recorder| recorder.done()) {
            *counts.entry(event.position).or_insert(0) += 1;
        }
        counts
    }
}

#[async_trait]
impl Reactor for Recorder {
    fn name(&self) -> &'static str {
        "recorder.1"
    }

    fn filter(&self) -> Filter {
        self.filter.clone()
    }

    async fn react(&self, event: &RecordedEvent) -> Result<(), Source> {
        self.begun.lock().unwrap().push(event.clone());
        self.gate.acquire().await.unwrap().forget();
        tokio::time::sleep(self.takes).await;
        if let Some(times) = self.failing.lock().unwrap().get_mut(&event.position.0)
            && *times > 0
        {
            *times -= 1;
            return Err(Arc::new(NatsAway::new("told to fail")));
        }
        self.done.lock().unwrap().push(event.clone());
        Ok(())
    }

    async fn poisoned(&self, _: &Poison) {}
}
