//! Judging one answer.

use countersign_core::{AuthenticatorId, ChallengeId, Timestamp};

use super::{
    AttemptFailed, AttemptFailure, AuthenticatorThrottled, Challenge, ChallengeExhausted,
    ChallengeState, ChallengeVerified, Consumed, Event, Ledger, Rejection, Source, State,
};
use crate::throttle::ThrottlePolicy;

/// What the factor said about the answer, before anyone looked at what was used up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// The code of these moving factors, ascending; the least that is not spent is used up.
    MovingFactors(Vec<u64>),
    /// A code of a set.
    Code {
        /// Which set.
        generation: u32,
        /// Which code of it.
        index: u32,
        /// How many codes the set began with.
        count: u32,
        /// At how many left the user is to be warned.
        low: u32,
    },
    /// Right, of what can be used once.
    Once {
        /// Which one.
        generation: u32,
    },
    /// Right, and nothing is used up.
    Right,
    /// Wrong.
    Wrong,
}

/// Judges one answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The challenge.
    pub challenge_id: ChallengeId,
    /// The authenticator that answers.
    pub authenticator_id: AuthenticatorId,
    /// Its kind.
    pub kind: Box<str>,
    /// What the factor said.
    pub judgement: Judgement,
    /// The moving factor that confirming the enrolment used up.
    pub spent_at_enrollment: Option<u64>,
    /// How failures slow guessing down.
    pub throttle: ThrottlePolicy,
    /// Authentication context class that a right answer reaches.
    pub acr: Box<str>,
    /// Authentication method references of a right answer.
    pub amr: Vec<String>,
    /// Where it comes from.
    pub source: Source,
    /// The present instant.
    pub now: Timestamp,
}

impl State {
    /// Returns the challenge if it takes an answer of `authenticator` from `source` at `now`. Asked before an answer is
    /// looked at, so that right and wrong ones fare the same.
    ///
    /// # Errors
    /// Says why it does not.
    pub fn admit(
        &self,
        challenge: ChallengeId,
        authenticator: AuthenticatorId,
        source: Source,
        now: Timestamp,
    ) -> Result<&Challenge, Rejection> {
        let challenge = self.find(challenge).ok_or(Rejection::NotFound)?;
        match challenge.state_at(now) {
            ChallengeState::Pending => {}
            ChallengeState::Expired => return Err(Rejection::Expired),
            closed @ (ChallengeState::Verified
            | ChallengeState::Exhausted
            | ChallengeState::Canceled
            | ChallengeState::Superseded) => return Err(Rejection::Closed(closed)),
        }
        if !challenge.allows(authenticator) {
            return Err(Rejection::NotAllowed);
        }
        if let Some(closure) = self.closure(authenticator, source, now) {
            return Err(Rejection::Throttled { until: closure.until });
        }
        Ok(challenge)
    }
}

impl Answer {
    pub(super) fn decide(self, state: &State) -> Result<Vec<Event>, Rejection> {
        let challenge =
            state.admit(self.challenge_id, self.authenticator_id, self.source, self.now)?;
        let ledger = state.ledger(self.authenticator_id).cloned().unwrap_or_default();
        Ok(match self.consume(&ledger) {
            Ok((consumed, codes_remaining, codes_low)) => {
                vec![Event::ChallengeVerified(ChallengeVerified {
                    challenge_id: self.challenge_id,
                    authenticator_id: self.authenticator_id,
                    kind: self.kind,
                    consumed,
                    acr: self.acr,
                    amr: self.amr,
                    verified_at: self.now,
                    codes_remaining,
                    codes_low,
                    source: self.source,
                })]
            }
            Err(reason) => self.fail(challenge, &ledger, reason),
        })
    }

    /// Says what a right answer uses up, how many codes are left, and whether they are few.
    fn consume(&self, ledger: &Ledger) -> Result<(Consumed, Option<u32>, bool), AttemptFailure> {
        match &self.judgement {
            Judgement::MovingFactors(factors) => {
                let spent = ledger.last_factor.max(self.spent_at_enrollment);
                let fresh = factors.iter().find(|factor| Some(**factor) > spent);
                let factor = fresh.ok_or(AttemptFailure::Replayed)?;
                Ok((Consumed::MovingFactor(*factor), None, false))
            }
            Judgement::Code { generation, index, count, low } => {
                if ledger.code_is_used(*generation, *index) {
                    return Err(AttemptFailure::Replayed);
                }
                let used = ledger.codes_used(*generation).saturating_add(1);
                let remaining = count.saturating_sub(used);
                let consumed = Consumed::Code { generation: *generation, index: *index };
                Ok((consumed, Some(remaining), remaining <= *low))
            }
            Judgement::Once { generation } => {
                if ledger.code_is_used(*generation, 0) {
                    return Err(AttemptFailure::Replayed);
                }
                Ok((Consumed::Code { generation: *generation, index: 0 }, None, false))
            }
            Judgement::Right => Ok((Consumed::Nothing, None, false)),
            Judgement::Wrong => Err(AttemptFailure::WrongCode),
        }
    }

    fn fail(&self, challenge: &Challenge, ledger: &Ledger, reason: AttemptFailure) -> Vec<Event> {
        let attempts_left = challenge.attempts_left.saturating_sub(1);
        let failure = ledger.next_failure(self.source, self.now);
        let consecutive_failures = failure.consecutive;
        let mut events = vec![Event::AttemptFailed(AttemptFailed {
            challenge_id: self.challenge_id,
            authenticator_id: self.authenticator_id,
            attempts_left,
            consecutive_failures,
            reason,
            failed_at: self.now,
            source: self.source,
            source_failures: Some(failure.count.of_source),
            unproven_failures: failure.count.of_unproven,
        })];
        if let Some((closed_to, until)) = failure.closes(&self.throttle) {
            events.push(Event::AuthenticatorThrottled(AuthenticatorThrottled {
                authenticator_id: self.authenticator_id,
                consecutive_failures,
                until,
                closed_to,
            }));
        }
        if attempts_left == 0 {
            events.push(Event::ChallengeExhausted(ChallengeExhausted {
                challenge_id: self.challenge_id,
            }));
        }
        events
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::*;
    use super::*;

    fn exhausted(n: u8) -> Event {
        Event::ChallengeExhausted(ChallengeExhausted { challenge_id: challenge(n) })
    }

    #[test]
    fn a_right_code_verifies_and_spends_its_step() {
        given([issued(1, 0)]).when(code(1, [50])).then([verified(1, 50)]);
    }

    #[test]
    fn a_code_succeeds_only_once_even_on_another_challenge() {
        given([issued(1, 0), issued(2, 0), verified(1, 50)])
            .when(code(2, [50]))
            .then([replayed(2, 4, 1)]);
    }

    #[test]
    fn a_code_of_an_earlier_step_than_the_last_one_spent_is_a_replay() {
        given([issued(1, 0), issued(2, 0), verified(1, 50)])
            .when(code(2, [49]))
            .then([replayed(2, 4, 1)]);
    }

    #[test]
    fn a_code_that_stands_for_two_steps_spends_the_first_fresh_one() {
        given([issued(1, 0), issued(2, 0), verified(1, 50)])
            .when(code(2, [50, 51]))
            .then([verified(2, 51)]);
    }

    #[test]
    fn the_code_that_confirmed_the_enrolment_is_spent() {
        let mut answer = answer(1, Judgement::MovingFactors(vec![50]));
        answer.spent_at_enrollment = Some(50);
        given([issued(1, 0)])
            .when(crate::user_challenges::Command::Answer(answer))
            .then([Event::AttemptFailed(attempt(1, 4, 1, AttemptFailure::Replayed))]);
    }

    #[test]
    fn a_wrong_code_is_recorded_rather_than_rejected() {
        given([issued(1, 0)]).when(wrong(1)).then([failed(1, 4, 1)]);
    }

    #[test]
    fn the_last_attempt_closes_the_challenge_and_the_fifth_failure_the_authenticator() {
        given([issued(1, 0), failed(1, 1, 4)]).when(wrong(1)).then([
            failed(1, 0, 5),
            throttled(5, Some(40)),
            exhausted(1),
        ]);
    }

    #[test]
    fn a_right_code_during_a_pause_is_refused_like_a_wrong_one() {
        let paused = [issued(1, 0), issued(2, 0), failed(1, 0, 5), throttled(5, Some(40))];
        let refusal = Rejection::Throttled { until: Some(at(40)) };
        given(paused.clone()).when(wrong(2)).then_rejected(refusal);
        given(paused).when(code(2, [50])).then_rejected(refusal);
    }

    #[test]
    fn after_the_pause_one_more_failure_doubles_it() {
        given([issued(1, 0), failed(1, 3, 5), throttled(5, Some(10))])
            .when(wrong(1))
            .then([failed(1, 2, 6), throttled(6, Some(70))]);
    }

    #[test]
    fn a_success_clears_the_failures() {
        given([issued(1, 0), failed(1, 4, 1)]).when(code(1, [50])).then_state(|state| {
            assert_eq!(state.ledger(authenticator(1)).unwrap().consecutive_failures, 0);
        });
    }

    #[test]
    fn a_recovery_code_is_used_once_and_says_how_many_are_left() {
        given([issued(1, 0)]).when(recovery(1, 1, 3)).then([recovered(1, 1, 3, 9, false)]);
        given([issued(1, 0), issued(2, 0), recovered(1, 1, 3, 9, false)])
            .when(recovery(2, 1, 3))
            .then([replayed(2, 4, 1)]);
    }

    #[test]
    fn few_codes_left_raise_the_warning() {
        let used = (0..6).map(|index| recovered(9, 1, index, 9 - index, false));
        given([issued(1, 0)].into_iter().chain(used))
            .when(recovery(1, 1, 6))
            .then([recovered(1, 1, 6, 3, true)]);
    }

    #[test]
    fn a_code_of_a_replaced_set_is_a_replay_and_a_new_set_starts_afresh() {
        let history = [issued(1, 0), issued(2, 0), recovered(1, 2, 3, 9, false)];
        given(history.clone()).when(recovery(2, 1, 4)).then([replayed(2, 4, 1)]);
        given(history).when(recovery(2, 3, 3)).then([recovered(2, 3, 3, 9, false)]);
    }

    #[test]
    fn a_pass_for_one_use_is_used_once_and_says_nothing_of_codes_left() {
        let once = |n, generation| {
            crate::user_challenges::Command::Answer(answer(n, Judgement::Once { generation }))
        };
        let used = |n, generation| {
            let consumed = Consumed::Code { generation, index: 0 };
            Event::ChallengeVerified(verification(n, consumed))
        };
        given([issued(1, 0)]).when(once(1, 1)).then([used(1, 1)]);
        let history = [issued(1, 0), issued(2, 0), used(1, 2)];
        given(history.clone()).when(once(2, 2)).then([replayed(2, 4, 1)]);
        given(history.clone()).when(once(2, 1)).then([replayed(2, 4, 1)]);
        given(history).when(once(2, 3)).then([used(2, 3)]);
    }

    #[test]
    fn an_answer_needs_a_pending_challenge_that_is_for_the_authenticator() {
        given([]).when(code(1, [50])).then_rejected(Rejection::NotFound);
        given([issued(1, 0), verified(1, 50)])
            .when(code(1, [51]))
            .then_rejected(Rejection::Closed(ChallengeState::Verified));
        given([issued(1, -290)]).when(code(1, [50])).then_rejected(Rejection::Expired);
        let mut stranger = answer(1, Judgement::Wrong);
        stranger.authenticator_id = authenticator(9);
        given([issued(1, 0)])
            .when(crate::user_challenges::Command::Answer(stranger))
            .then_rejected(Rejection::NotAllowed);
    }

    #[test]
    fn an_answer_that_uses_nothing_up_verifies() {
        given([issued(1, 0)])
            .when(crate::user_challenges::Command::Answer(answer(1, Judgement::Right)))
            .then_state(|state| {
                let challenge = state.find(challenge(1)).unwrap();
                assert_eq!(challenge.state, ChallengeState::Verified);
            });
    }
}
