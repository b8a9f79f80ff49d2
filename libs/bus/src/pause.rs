//! Waiting longer and longer while trouble lasts, never in step with others.

use std::{
    hash::{BuildHasher as _, RandomState},
    time::Duration,
};

/// Pauses that double from `first` up to `longest`.
#[derive(Clone, Debug)]
pub(crate) struct Pause {
    first: Duration,
    longest: Duration,
    failures: u32,
}

impl Pause {
    pub(crate) const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, failures: 0 }
    }

    /// Begins at the first pause again.
    pub(crate) const fn over(&mut self) {
        self.failures = 0;
    }

    /// Returns how long to wait now.
    pub(crate) fn next(&mut self) -> Duration {
        let pause = backoff(self.first, self.longest, self.failures);
        self.failures = self.failures.saturating_add(1);
        pause
    }
}

/// Returns `first` doubled `times`, at most `longest`, and of that a random part from one half up.
pub(crate) fn backoff(first: Duration, longest: Duration, times: u32) -> Duration {
    jittered(first.saturating_mul(1 << times.min(20)).min(longest))
}

/// Returns a random part of `pause`, from one half up.
pub(crate) fn jittered(pause: Duration) -> Duration {
    // The standard library keys its hash maps at random: enough to keep replicas out of step, and nothing that must not
    // be guessed.
    let random = RandomState::new().hash_one(0_u8) % 1024;
    let part = u32::try_from(random).unwrap_or(0);
    pause / 2 + (pause / 2).mul_f64(f64::from(part) / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_doubles_up_to_the_longest_and_keeps_half_of_itself() {
        let (first, longest) = (Duration::from_millis(100), Duration::from_secs(5));
        for times in [0, 1, 4, 63, u32::MAX] {
            let whole = first.saturating_mul(1 << times.min(20)).min(longest);
            let pause = backoff(first, longest, times);
            assert!(pause >= whole / 2 && pause <= whole, "{pause:?} of {whole:?}");
        }
    }
}
