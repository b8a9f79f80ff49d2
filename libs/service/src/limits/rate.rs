//! How many requests in how much time.

use std::{num::NonZeroU32, time::Duration};

use serde::Deserialize;

/// Longest time in which a burst may be saved up again. Whoever wants less than that wants another kind of limit.
const LONGEST_SAVING: Duration = Duration::from_secs(24 * 60 * 60);

/// A rate: so many `requests` in so many `seconds`, and so many at once after a silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Said")]
pub struct Rate {
    every: Duration,
    burst: NonZeroU32,
}

/// A rate as settings say it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    requests: NonZeroU32,
    seconds: NonZeroU32,
    burst: NonZeroU32,
}

/// A rate that cannot be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RateError {
    /// There would be less than a nanosecond between two requests.
    #[error("a rate must have at most 1000000000 requests a second")]
    TooFast,
    /// The burst would be there again after more than a day.
    #[error(
        "a rate must let its burst be saved up again within a day: fewer in `burst`, or more `requests` in fewer `seconds`"
    )]
    TooSlow,
}

impl Rate {
    /// Allows `requests` in `seconds`, evenly spread, and `burst` at once after a silence.
    ///
    /// # Errors
    /// Says what is too much.
    pub fn new(
        requests: NonZeroU32,
        seconds: NonZeroU32,
        burst: NonZeroU32,
    ) -> Result<Self, RateError> {
        let every = Duration::from_secs(u64::from(seconds.get())) / requests.get();
        if every.is_zero() {
            return Err(RateError::TooFast);
        }
        match every.checked_mul(burst.get()) {
            Some(saving) if saving <= LONGEST_SAVING => Ok(Self { every, burst }),
            Some(_) | None => Err(RateError::TooSlow),
        }
    }

    /// A rate of the settings' defaults, which are known to be kept.
    pub(super) const fn of(every: Duration, burst: u32) -> Self {
        match NonZeroU32::new(burst) {
            Some(burst) => Self { every, burst },
            None => Self { every, burst: NonZeroU32::MIN },
        }
    }

    /// Returns the time between two requests that are evenly spread.
    pub(super) const fn every(self) -> Duration {
        self.every
    }

    /// Returns how many may come at once.
    pub(super) const fn burst(self) -> NonZeroU32 {
        self.burst
    }
}

impl TryFrom<Said> for Rate {
    type Error = RateError;

    fn try_from(said: Said) -> Result<Self, RateError> {
        Self::new(said.requests, said.seconds, said.burst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(requests: u32, seconds: u32, burst: u32) -> Result<Rate, RateError> {
        let [requests, seconds, burst] =
            [requests, seconds, burst].map(|number| NonZeroU32::new(number).unwrap());
        Rate::new(requests, seconds, burst)
    }

    #[test]
    fn requests_are_spread_over_the_seconds() {
        assert_eq!(rate(5_000, 1, 7).unwrap(), Rate::of(Duration::from_micros(200), 7));
        assert_eq!(rate(1, 60, 1).unwrap(), Rate::of(Duration::from_secs(60), 1));
    }

    #[test]
    fn a_rate_that_cannot_be_kept_is_refused() {
        assert_eq!(rate(u32::MAX, 1, 1), Err(RateError::TooFast));
        assert_eq!(rate(1, 86_400, 2), Err(RateError::TooSlow));
        assert_eq!(rate(1, u32::MAX, u32::MAX), Err(RateError::TooSlow));
        assert!(rate(1, 86_400, 1).is_ok());
    }
}
