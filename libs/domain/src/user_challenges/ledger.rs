//! What is held against an authenticator, and what it used up.

use std::collections::BTreeSet;

use countersign_core::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    AttemptFailed, AuthenticatorThrottled, ChallengeVerified, ClosedTo, Consumed, Source,
    budgets::{Budgets, Count},
};
use crate::throttle::{Closure, ThrottlePolicy};

/// What is held against an authenticator, and what it used up.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    /// Failures in a row, of all sources together.
    pub consecutive_failures: u32,
    /// The closure to everyone that follows them.
    closure: Option<Closure>,
    /// What is held against each source.
    budgets: Budgets,
    /// The greatest moving factor used up.
    pub last_factor: Option<u64>,
    /// The set whose codes `used_codes` are.
    pub code_generation: u32,
    /// Codes used up.
    pub used_codes: BTreeSet<u32>,
}

/// Whose attempts an authenticator does not take, the widest circle that there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThrottleScope {
    /// Those of sources that failed too often.
    FailedSources,
    /// Those of all sources that have not proved themselves.
    NewSources,
    /// Anybody's.
    Everyone,
}

/// An authenticator that takes no attempts, be it only from some sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Throttle {
    /// Failures in a row, of all sources together.
    pub consecutive_failures: u32,
    /// When everyone's attempts are taken again; `None` if no time brings that.
    pub until: Option<Timestamp>,
    /// Whose attempts are not taken.
    pub scope: ThrottleScope,
}

/// One failure more, as it counts.
pub(super) struct Failure {
    /// Failures in a row of all sources, this one included.
    pub(super) consecutive: u32,
    pub(super) count: Count,
    source: Source,
    now: Timestamp,
}

impl Ledger {
    /// Returns how many codes of set `generation` were used up.
    #[must_use]
    pub fn codes_used(&self, generation: u32) -> u32 {
        if self.code_generation == generation {
            u32::try_from(self.used_codes.len()).unwrap_or(u32::MAX)
        } else {
            0
        }
    }

    /// Returns whether code `index` of set `generation` was used up; so is all of an earlier set.
    #[must_use]
    pub fn code_is_used(&self, generation: u32, index: u32) -> bool {
        generation < self.code_generation
            || (generation == self.code_generation && self.used_codes.contains(&index))
    }

    /// Returns the closure that keeps answers of `source` from being looked at, the longest if there are several.
    pub(super) fn closure_to(&self, source: Source, now: Timestamp) -> Option<Closure> {
        Closure::longest([self.closure, self.budgets.closure(source, now)], now)
    }

    /// Returns whether `source` has proved itself.
    pub(super) fn is_proven(&self, source: Source, now: Timestamp) -> bool {
        self.budgets.is_proven(source, now)
    }

    /// Says whose attempts are not taken, if there is anyone.
    pub(super) fn throttle(&self, now: Timestamp) -> Option<Throttle> {
        let longest = [self.closure, self.budgets.longest_closure(now)];
        let scope = if self.closure.is_some_and(|closure| closure.holds_at(now)) {
            ThrottleScope::Everyone
        } else if self.budgets.closure_to_unproven(now).is_some() {
            ThrottleScope::NewSources
        } else {
            ThrottleScope::FailedSources
        };
        Some(Throttle {
            consecutive_failures: self.consecutive_failures,
            until: Closure::longest(longest, now)?.until,
            scope,
        })
    }

    /// Returns whether nothing is held against anyone.
    pub(super) fn is_clear(&self) -> bool {
        self.consecutive_failures == 0 && self.closure.is_none() && self.budgets.are_clear()
    }

    /// Counts one failure more of `source` at `now`.
    pub(super) fn next_failure(&self, source: Source, now: Timestamp) -> Failure {
        let consecutive = self.consecutive_failures.saturating_add(1);
        Failure { consecutive, count: self.budgets.next(source, now), source, now }
    }

    /// Spends what a right answer used up, and ends the run of failures.
    pub(super) fn verify(&mut self, verified: &ChallengeVerified) {
        self.consecutive_failures = 0;
        self.closure = None;
        self.budgets.prove(verified.source, verified.verified_at);
        match verified.consumed {
            Consumed::MovingFactor(factor) => {
                self.last_factor = self.last_factor.max(Some(factor));
            }
            Consumed::Code { generation, index } => {
                if self.code_generation < generation {
                    self.code_generation = generation;
                    self.used_codes.clear();
                }
                self.used_codes.insert(index);
            }
            Consumed::Nothing => {}
        }
    }

    pub(super) fn fail(&mut self, failed: &AttemptFailed) {
        self.consecutive_failures = failed.consecutive_failures;
        self.budgets.fail(failed);
    }

    pub(super) fn close(&mut self, throttled: &AuthenticatorThrottled) {
        self.consecutive_failures = throttled.consecutive_failures;
        match throttled.closed_to {
            ClosedTo::Everyone => self.closure = Some(Closure { until: throttled.until }),
            ClosedTo::Source { source, unproven } => {
                self.budgets.close(source, throttled.until, unproven);
            }
        }
    }

    pub(super) fn release(&mut self) {
        self.consecutive_failures = 0;
        self.closure = None;
        self.budgets.clear();
    }
}

impl Failure {
    /// Says whom the authenticator is closed to because of it, and until when.
    pub(super) fn closes(&self, policy: &ThrottlePolicy) -> Option<(ClosedTo, Option<Timestamp>)> {
        if self.consecutive >= policy.hard_limit {
            return Some((ClosedTo::Everyone, None));
        }
        let own = policy.after_failure(self.count.of_source, self.now);
        let own = own.map(|closure| closure.ending(self.now));
        let unproven = self.count.of_unproven.and_then(|failures| self.closes_to(failures, policy));
        let until = Closure::longest([own, unproven], self.now)?.until;
        Some((ClosedTo::Source { source: self.source, unproven }, until))
    }

    /// Says what follows for all that have not proved themselves.
    fn closes_to(&self, unproven: u32, policy: &ThrottlePolicy) -> Option<Closure> {
        let theirs = policy.hard_limit.saturating_sub(policy.kept_for_proven());
        if self.count.any_proven && self.consecutive >= theirs {
            return Some(Closure { until: None });
        }
        let closure = policy.shared().after_failure(unproven, self.now)?;
        Some(closure.ending(self.now))
    }
}
