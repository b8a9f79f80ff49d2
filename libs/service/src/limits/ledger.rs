//! Who has used up how much of a rate, in memory that has a bound.

use std::{
    fmt,
    hash::{BuildHasher as _, Hash, RandomState},
    time::Duration,
};

use governor::{
    Quota, RateLimiter, clock::Clock, middleware::NoOpMiddleware, nanos::Nanos, state::StateStore,
};
use quick_cache::sync::{Cache, EntryAction, EntryResult};
use tokio::time::Instant;

use super::Rate;

/// One rate, kept for each of many keys by the generic cell rate algorithm (ITU-T I.371 annex A), which needs one number
/// for each key.
///
/// Only so many keys are remembered. A key that is asked for again and again stays; one that comes once goes first, and
/// whoever was forgotten begins with a full burst. So a flood of new keys takes no more memory, and does not wash out
/// who is at its limit.
pub(super) struct Ledger {
    limiter: RateLimiter<u64, Remembered, Ticks, NoOpMiddleware<Duration>>,
    /// Keys are remembered by a keyed hash: they may be long, and nobody can make two that meet.
    hasher: RandomState,
}

impl Ledger {
    /// Keeps `rate` for each key, and remembers about `keys` of them.
    pub(super) fn new(rate: Rate, keys: usize) -> Self {
        let quota = Quota::with_period(rate.every())
            .unwrap_or_else(|| Quota::per_second(rate.burst()))
            .allow_burst(rate.burst());
        let limiter = RateLimiter::new(quota, Remembered(Cache::new(keys)), Ticks(Instant::now()));
        Self { limiter, hasher: RandomState::new() }
    }

    /// Charges `key` for one request.
    ///
    /// # Errors
    /// Returns after how long one will be let through.
    pub(super) fn charge(&self, key: &impl Hash) -> Result<(), Duration> {
        let key = self.hasher.hash_one(key);
        self.limiter
            .check_key(&key)
            .map_err(|until| until.wait_time_from(self.limiter.clock().now()))
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ledger").finish_non_exhaustive()
    }
}

/// Tokio's clock, which tests can move: time since it was made.
#[derive(Clone, Copy, Debug)]
struct Ticks(Instant);

impl Clock for Ticks {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

/// The state of each key: when it would be back at a full burst, in nanoseconds of [`Ticks`].
#[derive(Debug)]
struct Remembered(Cache<u64, u64>);

impl StateStore for Remembered {
    type Key = u64;

    fn measure_and_replace<T, F, E>(&self, key: &u64, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let measured = |state: Option<u64>| {
            measure(state.map(Nanos::from)).map(|(outcome, next)| (outcome, next.as_u64()))
        };
        let entry = self.0.entry(key, None, |_, state| {
            EntryAction::Retain(measured(Some(*state)).map(|(outcome, next)| {
                *state = next;
                outcome
            }))
        });
        match entry {
            EntryResult::Retained(outcome) => outcome,
            EntryResult::Vacant(place) | EntryResult::Replaced(place, _) => {
                let (outcome, next) = measured(None)?;
                // Where the cache will not have it, nothing is remembered: as if it were forgotten at once.
                place.insert(next).ok();
                Ok(outcome)
            }
            // Neither happens: entries are never removed here, and waiting has no end.
            EntryResult::Removed(..) | EntryResult::Timeout => {
                measured(None).map(|(outcome, _)| outcome)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    /// Ten in a second, three at once.
    fn slow() -> Rate {
        Rate::of(Duration::from_millis(100), 3)
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_burst_requests_are_let_through_at_the_rate_and_told_when() {
        let ledger = Ledger::new(slow(), 100);
        for _ in 0..3 {
            assert_eq!(ledger.charge(&"ann"), Ok(()));
        }
        let wait = ledger.charge(&"ann").unwrap_err();
        assert_eq!(wait, Duration::from_millis(100));
        advance(wait - Duration::from_millis(1)).await;
        assert_eq!(ledger.charge(&"ann"), Err(Duration::from_millis(1)));
        advance(Duration::from_millis(1)).await;
        assert_eq!(ledger.charge(&"ann"), Ok(()));
        assert!(ledger.charge(&"ann").is_err(), "one was saved up and no more");
        advance(Duration::from_secs(3_600)).await;
        let through = (0..10).filter(|_| ledger.charge(&"ann").is_ok()).count();
        assert_eq!(through, 3, "a silence saves up one burst");
    }

    #[tokio::test(start_paused = true)]
    async fn being_refused_costs_nothing() {
        let ledger = Ledger::new(slow(), 100);
        let through = (0..1_000).filter(|_| ledger.charge(&"ann").is_ok()).count();
        assert_eq!(through, 3);
        assert_eq!(ledger.charge(&"ann"), Err(Duration::from_millis(100)));
    }

    #[tokio::test(start_paused = true)]
    async fn each_key_has_a_rate_of_its_own() {
        let ledger = Ledger::new(slow(), 100);
        while ledger.charge(&"ann").is_ok() {}
        assert_eq!(ledger.charge(&"bob"), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_million_keys_take_no_more_memory_and_do_not_wash_out_who_is_at_its_limit() {
        let ledger = Ledger::new(slow(), 10_000);
        let mut through = 0;
        for key in 0..1_000_000_u32 {
            assert_eq!(ledger.charge(&key), Ok(()), "who is new is let through");
            if key % 1_000 == 0 {
                through += usize::from(ledger.charge(&"attacker").is_ok());
            }
        }
        assert_eq!(through, 3, "the clock stood still");
        let state = ledger.limiter.into_state_store();
        assert!(state.0.len() <= 10_000, "{}", state.0.len());
        let bytes = state.0.memory_used().total();
        assert!(bytes < 2_000_000, "{bytes}");
    }

    #[test]
    fn charges_at_the_same_time_are_all_counted() {
        let ledger = Ledger::new(Rate::of(Duration::from_secs(60), 1_000), 100);
        let through: usize = std::thread::scope(|scope| {
            let charge = || (0..1_000).filter(|_| ledger.charge(&"ann").is_ok()).count();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(charge)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(through, 1_000);
    }
}
