//! Events that a follower passed over because they cannot be read or acted upon: counted, and the newest kept, so that
//! whoever looks after the installation is told which.

use std::{collections::VecDeque, fmt};

use countersign_core::Chain;
use countersign_eventsourcing::{Poison, Position, RecordedEvent};
use parking_lot::Mutex;

/// How many of the newest are kept by name.
const KEPT: usize = 16;

/// One event that was passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassedEvent {
    /// Where it stands in the log, if that is known.
    pub position: Option<Position>,
    /// Where that is, for example a stream and revision.
    pub place: String,
    /// What is wrong with it. Never a secret.
    pub what: String,
}

impl fmt::Display for PassedEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

/// What one follower has passed over since its process started.
#[derive(Debug, Default)]
pub struct PassedOver(Mutex<Noted>);

#[derive(Debug, Default)]
struct Noted {
    count: u64,
    newest: VecDeque<PassedEvent>,
}

impl PassedOver {
    /// Returns how many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.lock().count
    }

    /// Returns the newest, oldest first.
    #[must_use]
    pub fn newest(&self) -> Vec<PassedEvent> {
        self.0.lock().newest.iter().cloned().collect()
    }

    /// Notes an event that `follower` can read the place of, but not deal with.
    pub fn note_event(
        &self,
        follower: &str,
        recorded: &RecordedEvent,
        why: &(dyn std::error::Error + 'static),
    ) {
        let place = format!("{} revision {}", recorded.stream, recorded.revision);
        self.note(
            follower,
            PassedEvent { position: Some(recorded.position), place, what: Chain(why).to_string() },
        );
    }

    /// Notes something in the log that cannot be read at all.
    pub fn note_poison(&self, follower: &str, poison: &Poison) {
        let (place, what) = (poison.place.clone(), poison.what.clone());
        self.note(follower, PassedEvent { position: Some(poison.position), place, what });
    }

    fn note(&self, follower: &str, event: PassedEvent) {
        tracing::error!(
            follower,
            position = event.position.map(|position| position.0),
            place = event.place,
            error = event.what,
            "event passed over: it cannot be dealt with"
        );
        let mut noted = self.0.lock();
        noted.count += 1;
        if noted.newest.len() == KEPT {
            noted.newest.pop_front();
        }
        noted.newest.push_back(event);
    }
}
