//! Taking over the secrets of a user that were sealed anew under a fresh key.

use countersign_core::{AuthenticatorId, Timestamp};
use countersign_crypto::Sealed;

use super::{Event, Rejection, SecretsResealed, State};

/// Takes the secrets over that were sealed anew. Those that are there must be those that it goes out from: nothing may stay
/// under a key that is about to be destroyed.
#[derive(Clone, Debug, PartialEq)]
pub struct ResealSecrets {
    /// Which rotation of the installation's secrets it is done for. Nothing is done twice for one.
    pub rotation: u32,
    /// What each factor keeps, by authenticator, sealed under the user's next secrets key.
    pub records: Vec<(AuthenticatorId, Sealed)>,
    /// The present instant.
    pub now: Timestamp,
}

impl ResealSecrets {
    pub(super) fn decide(self, state: &State) -> Result<Vec<Event>, Rejection> {
        if self.rotation <= state.secrets_rotation() {
            return Ok(vec![]);
        }
        let generation = state.secrets_generation().saturating_add(1);
        let same = state.records().map(|(id, _)| id).eq(self.records.iter().map(|(id, _)| *id));
        let under = |sealed: &Sealed| sealed.generation() == Some(generation);
        if !same || !self.records.iter().all(|(_, record)| under(record)) {
            return Err(Rejection::SecretsSuperseded);
        }
        Ok(vec![Event::SecretsResealed(SecretsResealed {
            rotation: self.rotation,
            generation,
            records: self.records,
            resealed_at: self.now,
        })])
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Command, IssueRecoveryCodes, UserErased, fixtures::*};
    use super::*;

    fn resealed(rotation: u32, generation: u32, records: &[u8]) -> Event {
        Event::SecretsResealed(SecretsResealed {
            rotation,
            generation,
            records: records.iter().map(|n| (id(*n), sealed_under(generation, *n))).collect(),
            resealed_at: at(9),
        })
    }

    fn reseal(rotation: u32, generation: u32, records: &[u8]) -> Command {
        Command::ResealSecrets(ResealSecrets {
            rotation,
            records: records.iter().map(|n| (id(*n), sealed_under(generation, *n))).collect(),
            now: at(9),
        })
    }

    #[test]
    fn every_secret_that_is_there_is_under_the_next_key() {
        let history = [started(1), confirmed(1), codes_issued(2, 1, 2), started(3)];
        given(history.clone()).when(reseal(1, 2, &[1, 2, 3])).then([resealed(1, 2, &[1, 2, 3])]);
        let again = history.into_iter().chain([resealed(1, 2, &[1, 2, 3])]);
        given(again).when(reseal(2, 3, &[1, 2, 3])).then_state(|state| {
            assert_eq!((state.secrets_generation(), state.secrets_rotation()), (3, 2));
            assert!(state.records().all(|(_, record)| record.generation() == Some(3)));
        });
    }

    #[test]
    fn what_is_gone_has_no_secret_to_be_sealed_and_the_key_is_exchanged_all_the_same() {
        given([started(1), confirmed(1), removed(1)]).when(reseal(1, 2, &[])).then([resealed(
            1,
            2,
            &[],
        )]);
        given([]).when(reseal(1, 2, &[])).then([resealed(1, 2, &[])]);
    }

    #[test]
    fn nothing_is_done_twice_for_one_rotation() {
        given([started(1), resealed(3, 2, &[1])]).when(reseal(3, 3, &[1])).then([]);
        given([started(1), resealed(3, 2, &[1])]).when(reseal(2, 3, &[1])).then([]);
    }

    #[test]
    fn a_secret_that_came_or_went_meanwhile_must_not_be_lost() {
        for records in [&[][..], &[1], &[1, 3], &[2, 1], &[1, 2, 3]] {
            given([started(1), confirmed(1), codes_issued(2, 1, 2)])
                .when(reseal(1, 2, records))
                .then_rejected(Rejection::SecretsSuperseded);
        }
    }

    #[test]
    fn secrets_are_taken_over_from_the_next_key_and_from_no_other() {
        for generation in [0, 1, 3] {
            given([started(1)])
                .when(reseal(1, generation, &[1]))
                .then_rejected(Rejection::SecretsSuperseded);
        }
    }

    #[test]
    fn what_was_sealed_under_the_key_before_is_not_taken() {
        let history = || given([started(1), confirmed(1), resealed(1, 2, &[1])]);
        history().when(start(2)).then_rejected(Rejection::SecretsSuperseded);
        history().when(issue_pass(2)).then_rejected(Rejection::SecretsSuperseded);
        let issue = |generation| {
            Command::IssueRecoveryCodes(IssueRecoveryCodes {
                new_authenticator_id: id(2),
                record: sealed_under(generation, 2),
                count: 10,
                user_id: sealed(0),
                now: at(5),
            })
        };
        history().when(issue(1)).then_rejected(Rejection::SecretsSuperseded);
        history().when(issue(2)).then_state(|state| {
            assert!(state.records().all(|(_, record)| record.generation() == Some(2)));
        });
    }

    #[test]
    fn an_erased_user_has_nothing_to_be_sealed() {
        let erased = Event::UserErased(UserErased { erased_at: at(3), reason: String::new() });
        given([started(1), erased]).when(reseal(1, 2, &[])).then_rejected(Rejection::Erased);
    }
}
