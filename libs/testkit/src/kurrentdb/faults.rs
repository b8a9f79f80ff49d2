//! What can go wrong on demand.

use std::{sync::Arc, time::Duration};

use countersign_eventlog::MAX_APPEND_BYTES;
use parking_lot::Mutex;
use tonic::{Status, metadata::MetadataMap};

use super::gate::Gate;

/// Makes the double fail, by number of calls or until told otherwise. Reads and appends that are under way count too.
#[derive(Clone, Debug)]
pub struct Faults {
    plan: Arc<Mutex<Plan>>,
    gate: Arc<Gate>,
}

#[derive(Debug)]
struct Plan {
    not_leader: u32,
    leader: (String, u16),
    unavailable: u32,
    busy: u32,
    lost_answers: u32,
    delay: Duration,
    largest_append: usize,
}

impl Faults {
    pub(super) fn new(gate: Arc<Gate>, port: u16) -> Self {
        let plan = Plan {
            not_leader: 0,
            leader: ("127.0.0.1".to_owned(), port),
            unavailable: 0,
            busy: 0,
            lost_answers: 0,
            delay: Duration::ZERO,
            largest_append: MAX_APPEND_BYTES,
        };
        Self { plan: Arc::new(Mutex::new(plan)), gate }
    }

    /// Refuses the next `times` calls that ask for a leader, as a follower would, and names `port` as the leader's.
    pub fn refuse_as_follower(&self, times: u32, port: u16) {
        let mut plan = self.plan.lock();
        plan.not_leader = times;
        plan.leader.1 = port;
    }

    /// Refuses the next `times` calls as a server does that has no leader or is not ready.
    pub fn be_unavailable(&self, times: u32) {
        self.plan.lock().unavailable = times;
    }

    /// Answers the next `times` appends in a session that the server is too busy for them. The session goes on.
    pub fn be_too_busy(&self, times: u32) {
        self.plan.lock().busy = times;
    }

    /// Stores what the next `times` appends bring, and breaks every connection instead of answering.
    pub fn lose_answers(&self, times: u32) {
        self.plan.lock().lost_answers = times;
    }

    /// Answers every call only after `delay`, from now on.
    pub fn answer_after(&self, delay: Duration) {
        self.plan.lock().delay = delay;
    }

    /// Refuses appends of more than `bytes`, as the server's setting `MaxAppendSize` does.
    pub fn limit_appends(&self, bytes: usize) {
        self.plan.lock().largest_append = bytes;
    }

    /// Breaks every connection that is open. New ones are welcome.
    pub fn break_connections(&self) {
        self.gate.break_connections();
    }

    /// Waits as long as it was told to, then says whether the call is refused.
    pub(super) async fn admit(&self, metadata: &MetadataMap) -> Result<(), Status> {
        let delay = self.plan.lock().delay;
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        let mut plan = self.plan.lock();
        if take(&mut plan.unavailable) {
            return Err(Status::unavailable("Server Is Not Ready"));
        }
        let wants_leader = metadata.get("requires-leader").is_some_and(|value| value == "true");
        if wants_leader && take(&mut plan.not_leader) {
            return Err(not_leader(&plan.leader.0, plan.leader.1));
        }
        Ok(())
    }

    pub(super) fn is_busy(&self) -> bool {
        take(&mut self.plan.lock().busy)
    }

    /// Says whether an answer is lost; if so, the connections are broken already.
    pub(super) fn loses_answer(&self) -> bool {
        let loses = take(&mut self.plan.lock().lost_answers);
        if loses {
            self.gate.break_connections();
        }
        loses
    }

    pub(super) fn largest_append(&self) -> usize {
        self.plan.lock().largest_append
    }
}

fn take(times: &mut u32) -> bool {
    let any = *times > 0;
    *times = times.saturating_sub(1);
    any
}

/// As the server words it: the code is "not found", and what it means stands in the metadata.
fn not_leader(host: &str, port: u16) -> Status {
    let mut metadata = MetadataMap::new();
    let entries = [
        ("exception", "not-leader"),
        ("leader-endpoint-host", host),
        ("leader-endpoint-port", &port.to_string()),
    ];
    for (name, value) in entries {
        metadata.insert(name, value.parse().expect("plain text"));
    }
    Status::with_metadata(tonic::Code::NotFound, "Leader info available", metadata)
}
