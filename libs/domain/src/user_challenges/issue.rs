//! Opening a challenge.

use countersign_core::{ChallengeId, Timestamp};

use super::{
    Allowed, ChallengeExpired, ChallengeIssued, ChallengeState, ChallengeSuperseded, Event, Source,
    State,
};

/// How many challenges of a user may await an answer at once; the oldest gives way, first of those that were not opened
/// from a source that has proved itself, so that an outsider's do not push out the user's.
pub const MAX_PENDING: usize = 5;

/// Opens a challenge.
#[derive(Clone, Debug, PartialEq)]
pub struct IssueChallenge {
    /// Its id, new.
    pub challenge_id: ChallengeId,
    /// The application; may be empty.
    pub application_id: Box<str>,
    /// Who may answer, the preferred one first.
    pub allowed: Vec<Allowed>,
    /// The sign-in evaluation that asked for it; may be empty.
    pub sign_in_id: Box<str>,
    /// Wrong answers that it takes.
    pub max_attempts: u32,
    /// The present instant.
    pub now: Timestamp,
    /// When it lapses.
    pub expires_at: Timestamp,
    /// Where its answers are said to come from.
    pub source: Source,
}

impl IssueChallenge {
    pub(super) fn decide(self, state: &State) -> Vec<Event> {
        let mut events = Vec::new();
        for lapsed in state.challenges().filter(|challenge| {
            challenge.state == ChallengeState::Pending && self.now >= challenge.expires_at
        }) {
            events.push(Event::ChallengeExpired(ChallengeExpired { challenge_id: lapsed.id }));
        }
        let mut pending: Vec<_> = state.pending(self.now).collect();
        pending.sort_by_key(|challenge| state.is_from_proven(challenge, self.now));
        let too_many = (pending.len() + 1).saturating_sub(MAX_PENDING);
        for oldest in pending.iter().take(too_many) {
            events
                .push(Event::ChallengeSuperseded(ChallengeSuperseded { challenge_id: oldest.id }));
        }
        events.push(Event::ChallengeIssued(ChallengeIssued {
            challenge_id: self.challenge_id,
            application_id: self.application_id,
            allowed: self.allowed,
            sign_in_id: self.sign_in_id,
            max_attempts: self.max_attempts,
            issued_at: self.now,
            expires_at: self.expires_at,
            source: self.source,
        }));
        events
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ChallengeVerified, Consumed, SourceKey, fixtures::*};
    use super::*;

    #[test]
    fn a_challenge_is_opened() {
        given([]).when(issue(1, 0)).then([issued(1, 0)]);
    }

    #[test]
    fn lapsed_challenges_are_recorded_as_expired() {
        let expired = Event::ChallengeExpired(ChallengeExpired { challenge_id: challenge(1) });
        given([issued(1, 0)]).when(issue(2, 300)).then([expired, issued(2, 300)]);
    }

    #[test]
    fn the_oldest_pending_challenge_gives_way_to_a_sixth() {
        let five: Vec<_> = (1..=5).map(|n| issued(n, 0)).collect();
        let superseded =
            Event::ChallengeSuperseded(ChallengeSuperseded { challenge_id: challenge(1) });
        given(five).when(issue(6, 1)).then([superseded, issued(6, 1)]);
    }

    #[test]
    fn challenges_of_a_source_that_has_proved_itself_give_way_last() {
        let from = |n, source| {
            let Event::ChallengeIssued(issued) = issued(n, 20) else { unreachable!() };
            Event::ChallengeIssued(ChallengeIssued { source: Some(SourceKey(source)), ..issued })
        };
        let proof = Event::ChallengeVerified(ChallengeVerified {
            source: Some(SourceKey(1)),
            ..verification(9, Consumed::MovingFactor(50))
        });
        let superseded =
            Event::ChallengeSuperseded(ChallengeSuperseded { challenge_id: challenge(3) });
        let pending = [from(1, 1), from(2, 1), from(3, 2), from(4, 3), from(5, 2)];
        given([issued(9, 0), proof].into_iter().chain(pending))
            .when(issue(6, 21))
            .then([superseded, issued(6, 21)]);
    }

    #[test]
    fn a_new_challenge_does_not_reset_the_failures() {
        given([issued(1, 0), failed(1, 4, 1)]).when(issue(2, 1)).then_state(|state| {
            assert_eq!(state.ledger(authenticator(1)).unwrap().consecutive_failures, 1);
        });
    }
}
