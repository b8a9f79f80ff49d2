//! How failures are held against the sources that they came from (docs/adr/0012-guess-budgets.md).
//!
//! A source from which a right answer came of late has *proved itself* and has a budget of its own. All others have one
//! each, too, and share a further one, so that whoever has many addresses is slowed down as well.

use countersign_core::{Span, Timestamp};
use serde::{Deserialize, Serialize};

use super::{AttemptFailed, Source};
use crate::throttle::Closure;

/// How many sources of each sort are told apart; of others there is only what they share.
pub(super) const TOLD_APART: usize = 8;

/// How long a right answer proves a source.
pub(super) const PROVEN_FOR: Span = Span::from_secs(90 * 24 * 3_600);

/// Failures in a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Run {
    failures: u32,
    /// When the last one was.
    failed_at: Timestamp,
    /// The closure that follows them.
    closure: Option<Closure>,
}

/// A source that has proved itself.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Proven {
    source: Source,
    /// When it last did.
    at: Timestamp,
    run: Run,
}

/// What is held against the sources of one authenticator's answers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Budgets {
    /// The one that proved itself last comes last.
    proven: Vec<Proven>,
    /// Sources that failed and have not proved themselves; the one that failed last comes last.
    unproven: Vec<(Source, Run)>,
    /// What those, and those that are not told apart any more, share.
    shared: Run,
}

/// The numbers of one failure more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Count {
    /// Failures in a row of the source, this one included.
    pub(super) of_source: u32,
    /// Those of all sources that have not proved themselves, this one included; `None` if this one has.
    pub(super) of_unproven: Option<u32>,
    /// Whether there is a source that has proved itself.
    pub(super) any_proven: bool,
}

impl Run {
    /// Returns how many there are at `now`: none any more when nothing came for long.
    fn failures_at(&self, now: Timestamp) -> u32 {
        if now.since(self.failed_at) < Closure::REST { self.failures } else { 0 }
    }

    const fn count(&mut self, failures: u32, failed_at: Timestamp) {
        self.failures = failures;
        self.failed_at = failed_at;
    }
}

impl Proven {
    fn holds_at(&self, now: Timestamp) -> bool {
        now.since(self.at) < PROVEN_FOR
    }
}

impl Budgets {
    /// Returns whether `source` has proved itself.
    pub(super) fn is_proven(&self, source: Source, now: Timestamp) -> bool {
        self.proven(source, now).is_some()
    }

    fn proven(&self, source: Source, now: Timestamp) -> Option<&Proven> {
        self.proven.iter().find(|proven| proven.source == source && proven.holds_at(now))
    }

    /// Returns what is held against `source`. One whose proof is too old begins anew, among those that have none.
    fn run(&self, source: Source, now: Timestamp) -> Option<&Run> {
        let unproven = || self.unproven.iter().find(|(known, _)| *known == source);
        let proven = self.proven(source, now).map(|proven| &proven.run);
        proven.or_else(|| unproven().map(|(_, run)| run))
    }

    /// Returns the closure that keeps answers of `source` from being looked at.
    pub(super) fn closure(&self, source: Source, now: Timestamp) -> Option<Closure> {
        let own = self.run(source, now).and_then(|run| run.closure);
        let shared = self.shared.closure.filter(|_| !self.is_proven(source, now));
        Closure::longest([own, shared], now)
    }

    /// Returns the closure that keeps answers of any source from being looked at that has not proved itself.
    pub(super) fn closure_to_unproven(&self, now: Timestamp) -> Option<Closure> {
        Closure::longest([self.shared.closure], now)
    }

    /// Returns the longest closure of all.
    pub(super) fn longest_closure(&self, now: Timestamp) -> Option<Closure> {
        let runs = self.runs().map(|run| run.closure);
        Closure::longest(runs.chain([self.shared.closure]), now)
    }

    /// Returns whether nothing is held against anyone.
    pub(super) fn are_clear(&self) -> bool {
        self.shared.failures == 0 && self.runs().all(|run| run.failures == 0)
    }

    /// Returns the numbers of one more failure of `source` at `now`.
    pub(super) fn next(&self, source: Source, now: Timestamp) -> Count {
        let next = |run: &Run| run.failures_at(now).saturating_add(1);
        Count {
            of_source: self.run(source, now).map_or(1, next),
            of_unproven: (!self.is_proven(source, now)).then(|| next(&self.shared)),
            any_proven: self.proven.iter().any(|proven| proven.holds_at(now)),
        }
    }

    fn runs(&self) -> impl Iterator<Item = &Run> {
        let proven = self.proven.iter().map(|proven| &proven.run);
        proven.chain(self.unproven.iter().map(|(_, run)| run))
    }

    /// Takes a failure in as it was counted.
    pub(super) fn fail(&mut self, failed: &AttemptFailed) {
        // Before sources were told apart, all failures were those of one.
        let of_source = failed.source_failures.unwrap_or(failed.consecutive_failures);
        let proven = self.proven.iter_mut().find(|proven| proven.source == failed.source);
        match (proven, failed.unproven_failures) {
            (Some(proven), None) => proven.run.count(of_source, failed.failed_at),
            (_, of_unproven) => {
                let mut run = self.take_unproven(failed.source).unwrap_or_default();
                run.count(of_source, failed.failed_at);
                self.shared.count(of_unproven.unwrap_or(of_source), failed.failed_at);
                self.proven.retain(|proven| proven.source != failed.source);
                push_bounded(&mut self.unproven, (failed.source, run));
            }
        }
    }

    /// Closes the door to `source`, and to all that have not proved themselves if `unproven` says so.
    pub(super) fn close(
        &mut self,
        source: Source,
        until: Option<Timestamp>,
        unproven: Option<Closure>,
    ) {
        // Without an end it is only what is closed to all that have not proved themselves.
        let own = until.map(|until| Closure { until: Some(until) });
        let proven = self.proven.iter_mut().find(|p| p.source == source).map(|p| &mut p.run);
        let run = proven.or_else(|| {
            let known = self.unproven.iter_mut().find(|(known, _)| *known == source);
            known.map(|(_, run)| run)
        });
        if let Some(run) = run {
            run.closure = own.or(run.closure);
        }
        self.shared.closure = unproven.or(self.shared.closure);
    }

    /// Takes in that `source` proved itself: its failures are not held against it any more, nor against those that
    /// have not. Theirs stay, or every sign-in of the user would give an outsider new attempts.
    pub(super) fn prove(&mut self, source: Source, at: Timestamp) {
        if let Some(run) = self.take_unproven(source) {
            self.shared.failures = self.shared.failures.saturating_sub(run.failures_at(at));
        }
        self.proven.retain(|proven| proven.source != source);
        push_bounded(&mut self.proven, Proven { source, at, run: Run::default() });
        // The run of all together is over, so what was kept for those that have proved themselves is whole again.
        self.shared.closure = self.shared.closure.filter(|closure| closure.until.is_some());
    }

    /// Clears all that is held against anyone.
    pub(super) fn clear(&mut self) {
        self.unproven.clear();
        self.shared = Run::default();
        self.proven.iter_mut().for_each(|proven| proven.run = Run::default());
    }

    /// Removes a source that has not proved itself and returns what is held against it.
    fn take_unproven(&mut self, source: Source) -> Option<Run> {
        let place = self.unproven.iter().position(|(known, _)| *known == source)?;
        Some(self.unproven.remove(place).1)
    }
}

/// Adds one, and lets the first go if there are too many.
fn push_bounded<T>(list: &mut Vec<T>, one: T) {
    if list.len() >= TOLD_APART {
        list.remove(0);
    }
    list.push(one);
}
