//! How failures slow guessing down (NIST SP 800-63B-4 section 3.2.2: no more than 100 consecutive failures). Whose
//! failures count together is told in docs/adr/0012-guess-budgets.md.

use std::time::Duration;

use countersign_core::{Span, Timestamp};
use serde::{Deserialize, Serialize};

/// The pauses that follow failures in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThrottlePolicy {
    /// Failures in a row before the first pause.
    pub free_attempts: u32,
    /// The first pause; each further failure doubles it.
    pub first_pause: Duration,
    /// The longest pause.
    pub longest_pause: Duration,
    /// Failures in a row after which only an administrator can release it; at most 100.
    pub hard_limit: u32,
}

/// How many times a source's free attempts all those have together that have not proved themselves: so many that one
/// outsider with one address does not slow down the others.
const SHARED_FREE_ATTEMPTS: u32 = 4;

impl ThrottlePolicy {
    /// The greatest hard limit that NIST SP 800-63B-4 section 3.2.2 allows.
    pub const NIST_LIMIT: u32 = 100;

    /// For one-time passwords: a million codes and a pause after every five guesses leave a guesser some 1 in 10,000
    /// before the hard limit.
    pub const ONE_TIME_PASSWORD: Self = Self {
        free_attempts: 5,
        first_pause: Duration::from_secs(30),
        longest_pause: Duration::from_secs(3_600),
        hard_limit: Self::NIST_LIMIT,
    };

    /// For recovery codes and temporary access passes: typed seldom and from paper or by ear, so a few more free attempts, then longer pauses.
    pub const RECOVERY_CODE: Self = Self {
        free_attempts: 10,
        first_pause: Duration::from_secs(60),
        longest_pause: Duration::from_secs(3_600),
        hard_limit: Self::NIST_LIMIT,
    };

    /// Returns what holds for all sources together that have not proved themselves.
    #[must_use]
    pub const fn shared(&self) -> Self {
        let free_attempts = self.free_attempts.saturating_mul(SHARED_FREE_ATTEMPTS);
        Self { free_attempts, ..*self }
    }

    /// Returns how many of the failures in a row up to the hard limit are kept for sources that have proved themselves:
    /// their free attempts, so that an outsider who used up all the others does not keep the user out.
    #[must_use]
    pub fn kept_for_proven(&self) -> u32 {
        self.free_attempts.min(self.hard_limit / 4)
    }

    /// Returns what follows the `failures`th failure in a row at `now`.
    #[must_use]
    pub fn after_failure(&self, failures: u32, now: Timestamp) -> Option<Closure> {
        if failures >= self.hard_limit {
            return Some(Closure { until: None });
        }
        let excess = failures.checked_sub(self.free_attempts)?;
        let doubled =
            2u32.checked_pow(excess).and_then(|factor| self.first_pause.checked_mul(factor));
        let pause = doubled.unwrap_or(self.longest_pause).min(self.longest_pause);
        Some(Closure { until: Some(now.plus(pause)) })
    }
}

/// A door closed to attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closure {
    /// When attempts are taken again; `None` if only an administrator can release it.
    pub until: Option<Timestamp>,
}

impl Closure {
    /// How long a source is closed out after as many failures as the hard limit has, while others go on; and how long
    /// nothing may come from it for its failures to be forgotten.
    pub const REST: Span = Span::from_secs(30 * 24 * 3_600);

    /// Returns this one, with an end in any case.
    #[must_use]
    pub fn ending(self, now: Timestamp) -> Self {
        Self { until: self.until.or_else(|| Some(now.plus(Self::REST))) }
    }

    /// Returns the one of `closures` that holds longest of those that hold at `now`.
    pub(crate) fn longest(
        closures: impl IntoIterator<Item = Option<Self>>,
        now: Timestamp,
    ) -> Option<Self> {
        let holding = closures.into_iter().flatten().filter(|closure| closure.holds_at(now));
        holding.max_by_key(|closure| (closure.until.is_none(), closure.until))
    }

    /// Returns whether the door is still closed at `now`.
    #[must_use]
    pub fn holds_at(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_unix_seconds(1_000);

    fn pause_after(failures: u32) -> Option<u64> {
        let closure = ThrottlePolicy::ONE_TIME_PASSWORD.after_failure(failures, NOW)?;
        Some(closure.until?.since(NOW).as_secs())
    }

    #[test]
    fn pauses_begin_after_the_free_attempts_and_double_up_to_the_longest() {
        assert_eq!(pause_after(4), None);
        assert_eq!(pause_after(5), Some(30));
        assert_eq!(pause_after(6), Some(60));
        assert_eq!(pause_after(11), Some(1_920));
        assert_eq!(pause_after(12), Some(3_600));
        assert_eq!(pause_after(99), Some(3_600));
    }

    #[test]
    fn the_hundredth_failure_in_a_row_closes_until_an_administrator_releases() {
        let closure = ThrottlePolicy::ONE_TIME_PASSWORD.after_failure(100, NOW);
        assert_eq!(closure, Some(Closure { until: None }));
        assert!(Closure { until: None }.holds_at(Timestamp::from_unix_micros(i64::MAX)));
    }
}
