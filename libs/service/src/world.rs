//! The outside world's time and randomness, behind their ports.

use countersign_core::{Clock, Rng, Timestamp};

/// The operating system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that asks the system")]
    fn now(&self) -> Timestamp {
        let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let micros = since_epoch.map_or(0, |elapsed| elapsed.as_micros());
        Timestamp::from_unix_micros(i64::try_from(micros).unwrap_or(i64::MAX))
    }
}

/// The operating system's random bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsRandom;

impl Rng for OsRandom {
    #[expect(
        clippy::panic,
        reason = "without randomness no key and no code is safe, so nothing may go on"
    )]
    fn fill(&self, bytes: &mut [u8]) {
        if let Err(error) = getrandom::fill(bytes) {
            panic!("the operating system gives no random bytes: {error}");
        }
    }
}
