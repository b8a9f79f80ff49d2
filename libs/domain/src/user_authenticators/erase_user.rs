//! Erasing a user for good. The event comes first; whoever carries the command out then destroys the user's data key.

use countersign_core::Timestamp;

use super::{Event, Rejection, State, UserErased};

/// Erases a user, be it one of whom nothing is known: the id is then barred.
#[derive(Clone, Debug, PartialEq)]
pub struct EraseUser {
    /// Why, for the audit. Never personal data: it stays.
    pub reason: String,
    /// The present instant.
    pub now: Timestamp,
}

impl EraseUser {
    pub(super) fn decide(self, state: &State) -> Result<Vec<Event>, Rejection> {
        if state.is_erased() {
            return Ok(vec![]);
        }
        Ok(vec![Event::UserErased(UserErased { erased_at: self.now, reason: self.reason })])
    }
}

#[cfg(test)]
mod tests {
    use countersign_eventsourcing::Decider as _;

    use super::super::{
        Command, Confirmation, Placement, Status, UserAuthenticators, UserPlaced, fixtures::*,
    };
    use super::*;

    fn erase(seconds: i64) -> Command {
        Command::EraseUser(EraseUser { reason: "asked to".to_owned(), now: at(seconds) })
    }

    fn erased(seconds: i64) -> Event {
        Event::UserErased(UserErased { erased_at: at(seconds), reason: "asked to".to_owned() })
    }

    #[test]
    fn a_user_is_erased_once_and_erasing_again_changes_nothing() {
        given([started(1), confirmed(1)]).when(erase(30)).then([erased(30)]);
        given([started(1), erased(30)]).when(erase(31)).then([]);
    }

    #[test]
    fn a_user_of_whom_nothing_is_known_can_be_erased() {
        given([]).when(erase(30)).then([erased(30)]);
        given([erased(30)]).when(start(1)).then_rejected(Rejection::Erased);
    }

    #[test]
    fn nothing_is_left_that_could_answer_and_no_secret() {
        let placement = Placement { organisation_id: None, privileged: true };
        let placed =
            Event::UserPlaced(UserPlaced { placement, user_id: sealed(2), placed_at: at(1) });
        let before = [placed, started(1), confirmed(1), default_set(1), started(2)];
        given(before).when(erase(30)).then_state(|state| {
            assert_eq!(state.erased_at(), Some(at(30)));
            assert_eq!((state.default_id(), state.active().len()), (None, 0));
            assert_eq!(*state.placement(), Placement::default());
            let gone = |n| state.find(id(n)).is_some_and(|a| a.is_removed() && a.record.is_none());
            assert!(gone(1) && gone(2));
        });
    }

    #[test]
    fn an_authenticator_that_was_removed_before_goes_on_telling_since_when_it_had_been_bound() {
        given([started(1), confirmed(1), removed(1)]).when(erase(30)).then_state(|state| {
            let status = state.find(id(1)).map(|a| a.status.clone());
            let confirmed_at = Some(at(10));
            assert_eq!(status, Some(Status::Removed { confirmed_at }));
        });
    }

    #[test]
    fn whatever_else_is_asked_afterwards_is_rejected() {
        let history = [started(1), confirmed(1), started(2), erased(30)];
        let state = history.iter().fold(State::default(), UserAuthenticators::evolve);
        let mut asked = one_of_each(1);
        asked.extend([confirm(2, RIGHT, 31), confirm(2, Confirmation::Wrong, 31)]);
        for command in asked {
            let decided = UserAuthenticators::decide(&state, command.clone());
            assert_eq!(decided, Err(Rejection::Erased), "{command:?}");
        }
    }
}
