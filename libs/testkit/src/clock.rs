//! A clock that stands still until it is moved.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use countersign_core::{Clock, Timestamp};

/// A clock that stands still until a test moves it, in either direction.
#[derive(Debug)]
pub struct MovableClock(AtomicI64);

impl MovableClock {
    /// Begins at `start`.
    #[must_use]
    pub const fn at(start: Timestamp) -> Self {
        Self(AtomicI64::new(start.unix_micros()))
    }

    /// Moves it forward.
    pub fn advance(&self, by: Duration) {
        self.set(self.now().plus(by));
    }

    /// Puts it at `now`, as when an operator mends a wrong clock.
    pub fn set(&self, now: Timestamp) {
        self.0.store(now.unix_micros(), Ordering::SeqCst);
    }
}

/// Begins in the middle of a step of the usual 30 seconds, on 2026-01-01.
impl Default for MovableClock {
    fn default() -> Self {
        Self::at(Timestamp::from_unix_seconds(1_767_225_615))
    }
}

impl Clock for MovableClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_micros(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stands_still_until_it_is_moved() {
        let clock = MovableClock::default();
        let start = clock.now();
        assert_eq!(clock.now(), start);
        clock.advance(Duration::from_secs(30));
        assert_eq!(clock.now().since(start), Duration::from_secs(30));
        clock.set(start);
        assert_eq!(clock.now(), start);
    }
}
