//! An authenticator with answers from several sources, one after the other.

use super::{fixtures::*, *};
use crate::throttle::Closure;

/// In seconds.
pub(super) const DAY: i64 = 24 * 3_600;

pub(super) fn from(source: u64) -> Source {
    Some(SourceKey(source))
}

/// What happens to authenticator 1, each answer on a challenge of its own.
#[derive(Clone, Default)]
pub(super) struct Story {
    pub(super) state: State,
    told: Vec<Event>,
    challenges: u8,
    factor: u64,
}

impl Story {
    pub(super) fn ask(&mut self, command: Command) -> Result<Vec<Event>, Rejection> {
        let events = UserChallenges::decide(&self.state, command)?;
        for event in &events {
            self.state = UserChallenges::evolve(std::mem::take(&mut self.state), event);
        }
        self.told.extend(events.iter().cloned());
        Ok(events)
    }

    pub(super) fn answer(
        &mut self,
        source: Source,
        right: bool,
        at: Timestamp,
    ) -> Result<Vec<Event>, Rejection> {
        self.challenges = self.challenges.checked_add(1).unwrap_or(1);
        let issue = issue_challenge(self.challenges, at.unix_seconds());
        self.ask(Command::Issue(issue)).unwrap();
        self.factor += 1;
        let judgement =
            if right { Judgement::MovingFactors(vec![self.factor]) } else { Judgement::Wrong };
        let answer = answer(self.challenges, judgement);
        self.ask(Command::Answer(Answer { source, now: at, ..answer }))
    }

    /// A right answer from `source` that must be accepted.
    pub(super) fn proves(&mut self, source: u64, seconds: i64) -> &mut Self {
        let events = self.answer(from(source), true, at(seconds)).unwrap();
        assert!(matches!(events[..], [Event::ChallengeVerified(_)]), "{events:?}");
        self
    }

    /// A wrong answer from `source` that must be looked at; returns whom that closed out.
    pub(super) fn fails(
        &mut self,
        source: u64,
        seconds: i64,
    ) -> Option<(ClosedTo, Option<Timestamp>)> {
        let events = self.answer(from(source), false, at(seconds)).unwrap();
        events.into_iter().find_map(|event| {
            if let Event::AuthenticatorThrottled(event) = event {
                Some((event.closed_to, event.until))
            } else {
                None
            }
        })
    }

    /// One wrong answer from each of `sources`, all of them looked at.
    pub(super) fn fail_each(&mut self, sources: impl IntoIterator<Item = u64>, seconds: i64) {
        for source in sources {
            self.fails(source, seconds);
        }
    }

    pub(super) fn closure(&self, source: u64, seconds: i64) -> Option<Closure> {
        self.state.closure(authenticator(1), from(source), at(seconds))
    }

    pub(super) fn throttle(&self, seconds: i64) -> Option<Throttle> {
        self.state.throttled(at(seconds)).map(|(_, throttle)| throttle).next()
    }

    /// An outsider with ever new addresses, who tries whenever that is possible, until it is not any more or
    /// `end` has come; returns when each attempt was.
    pub(super) fn besiege(&mut self, begin: i64, end: i64) -> Vec<i64> {
        let (mut seconds, mut tried) = (begin, Vec::new());
        while seconds < end {
            let stranger = 1_000 + u64::try_from(self.told.len()).unwrap();
            match self.closure(stranger, seconds) {
                None => {
                    self.fails(stranger, seconds);
                    tried.push(seconds);
                }
                Some(Closure { until: Some(until) }) => seconds = until.unix_seconds(),
                Some(Closure { until: None }) => break,
            }
        }
        tried
    }
}
