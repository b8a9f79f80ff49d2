//! Giving a pending challenge up.

use countersign_core::{ChallengeId, Timestamp};

use super::{ChallengeCanceled, ChallengeState, Event, Rejection, State};

/// Gives a pending challenge up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CancelChallenge {
    /// The challenge.
    pub challenge_id: ChallengeId,
    /// The present instant.
    pub now: Timestamp,
}

impl CancelChallenge {
    pub(super) fn decide(self, state: &State) -> Result<Vec<Event>, Rejection> {
        let challenge = state.find(self.challenge_id).ok_or(Rejection::NotFound)?;
        match challenge.state_at(self.now) {
            ChallengeState::Pending => Ok(vec![Event::ChallengeCanceled(ChallengeCanceled {
                challenge_id: self.challenge_id,
            })]),
            ChallengeState::Canceled => Ok(vec![]),
            closed @ (ChallengeState::Verified
            | ChallengeState::Exhausted
            | ChallengeState::Expired
            | ChallengeState::Superseded) => Err(Rejection::Closed(closed)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Command, fixtures::*};
    use super::*;

    fn cancel(n: u8) -> Command {
        Command::Cancel(CancelChallenge { challenge_id: challenge(n), now: at(10) })
    }

    #[test]
    fn canceling_twice_is_the_same_as_once() {
        let canceled = Event::ChallengeCanceled(ChallengeCanceled { challenge_id: challenge(1) });
        given([issued(1, 0)]).when(cancel(1)).then([canceled.clone()]);
        given([issued(1, 0), canceled]).when(cancel(1)).then([]);
    }

    #[test]
    fn a_challenge_that_outlasts_many_others_is_remembered_when_it_closes() {
        let closed = |n| {
            [
                issued(n, 0),
                Event::ChallengeCanceled(ChallengeCanceled { challenge_id: challenge(n) }),
            ]
        };
        let others = (2..30).flat_map(closed);
        given([issued(1, 0)].into_iter().chain(others)).when(cancel(1)).then_state(|state| {
            let last = state.find(challenge(1)).unwrap();
            assert_eq!(last.state, ChallengeState::Canceled);
            assert_eq!(state.find(challenge(29)).unwrap().state, ChallengeState::Canceled);
            assert_eq!(state.find(challenge(2)), None);
        });
    }

    #[test]
    fn a_challenge_that_ended_otherwise_cannot_be_canceled() {
        given([]).when(cancel(1)).then_rejected(Rejection::NotFound);
        given([issued(1, 0), verified(1, 50)])
            .when(cancel(1))
            .then_rejected(Rejection::Closed(ChallengeState::Verified));
        given([issued(1, -300)])
            .when(cancel(1))
            .then_rejected(Rejection::Closed(ChallengeState::Expired));
    }
}
