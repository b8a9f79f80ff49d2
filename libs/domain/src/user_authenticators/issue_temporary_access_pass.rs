//! Issuing a temporary access pass in place of the previous one.

use countersign_core::{AuthenticatorId, Timestamp};
use countersign_crypto::Sealed;
use serde::{Deserialize, Serialize};

use super::{Event, Rejection, State, TemporaryAccessPassIssued};

/// The kind of factor that a temporary access pass is.
pub const TEMPORARY_ACCESS_PASS_KIND: &str = "temporary_access_pass";

/// When a temporary access pass opens, and how often. The factor judges by what its record says; this is the same, for
/// whoever must know what can answer without unsealing anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pass {
    /// From when on it opens.
    pub starts_at: Timestamp,
    /// From when on it opens no more.
    pub ends_at: Timestamp,
    /// Whether it opens once only.
    pub single_use: bool,
    /// The latest time that the user's challenges told of when it was issued; see
    /// [`judged_at`](crate::usable::judged_at).
    pub challenges_until: Timestamp,
}

/// Issues a temporary access pass.
#[derive(Clone, Debug, PartialEq)]
pub struct IssueTemporaryAccessPass {
    /// The id to use if the user never had a pass.
    pub new_authenticator_id: AuthenticatorId,
    /// A memory-hard hash of the code, and when it opens.
    pub record: Sealed,
    /// When it opens, and how often.
    pub pass: Pass,
    /// The platform's own id of the user.
    pub user_id: Sealed,
    /// The present instant.
    pub now: Timestamp,
}

impl IssueTemporaryAccessPass {
    pub(super) fn decide(self, state: &State) -> Result<Vec<Event>, Rejection> {
        state.takes(&self.record)?;
        let (authenticator_id, generation) =
            state.next_generation(TEMPORARY_ACCESS_PASS_KIND, self.new_authenticator_id)?;
        Ok(vec![Event::TemporaryAccessPassIssued(TemporaryAccessPassIssued {
            authenticator_id,
            generation,
            record: self.record,
            pass: self.pass,
            user_id: self.user_id,
            issued_at: self.now,
        })])
    }
}

#[cfg(test)]
mod tests {
    use super::super::{
        AuthenticatorSuspended, Command, MAX_AUTHENTICATORS, SetDefaultAuthenticator, fixtures::*,
    };
    use super::*;

    fn pass_issued(n: u8, generation: u32, record: u8) -> Event {
        Event::TemporaryAccessPassIssued(TemporaryAccessPassIssued {
            authenticator_id: id(n),
            generation,
            record: sealed(record),
            pass: pass(),
            user_id: sealed(0),
            issued_at: at(5),
        })
    }

    fn active(state: &State) -> Vec<AuthenticatorId> {
        state.active().iter().map(|a| a.id).collect()
    }

    #[test]
    fn a_first_pass_is_an_active_authenticator_at_once_and_not_the_default() {
        given([]).when(issue_pass(1)).then([pass_issued(1, 1, 1)]);
        given([]).when(issue_pass(1)).then_state(|state| {
            let issued = state.find(id(1)).unwrap();
            assert!(issued.is_active());
            assert_eq!(issued.pass.as_deref(), Some(&pass()));
            assert_eq!((&*issued.kind, issued.generation), (TEMPORARY_ACCESS_PASS_KIND, 1));
            assert_eq!(state.default_id(), None);
        });
    }

    #[test]
    fn a_new_pass_ends_the_earlier_and_keeps_the_id_so_that_failures_go_on_counting() {
        given([pass_issued(1, 1, 1)]).when(issue_pass(2)).then([pass_issued(1, 2, 2)]);
        given([pass_issued(1, 1, 1)]).when(issue_pass(2)).then_state(|state| {
            assert_eq!(active(state), [id(1)]);
            assert_eq!(state.find(id(1)).unwrap().record, Some(sealed(2)));
        });
    }

    #[test]
    fn a_removed_pass_is_gone_and_the_next_is_another_authenticator() {
        let history = [pass_issued(1, 1, 1), removed(1)];
        given(history.clone()).when(issue_pass(2)).then([pass_issued(2, 1, 2)]);
        given(history).when(issue_pass(2)).then_state(|state| {
            assert_eq!(active(state), [id(2)]);
            assert_eq!(state.find(id(1)).unwrap().record, None);
        });
    }

    #[test]
    fn a_suspended_pass_is_not_replaced() {
        let suspended = Event::AuthenticatorSuspended(AuthenticatorSuspended {
            authenticator_id: id(1),
            reason: String::new(),
        });
        given([pass_issued(1, 1, 1), suspended])
            .when(issue_pass(2))
            .then_rejected(Rejection::NotActive);
    }

    #[test]
    fn a_pass_comes_last_of_all_and_is_never_the_default() {
        let history = [pass_issued(1, 1, 1), codes_issued(3, 1, 3), started(2), confirmed(2)];
        given(history.clone())
            .when(issue_pass(9))
            .then_state(|state| assert_eq!(active(state), [id(2), id(3), id(1)]));
        let prefer = SetDefaultAuthenticator { authenticator_id: id(1) };
        given(history).when(Command::SetDefault(prefer)).then_rejected(Rejection::NeverDefault);
    }

    #[test]
    fn a_pass_takes_no_place_of_the_users_own_authenticators() {
        let full = (2..=MAX_AUTHENTICATORS).flat_map(|n| {
            let n = u8::try_from(n).unwrap();
            [started(n), confirmed(n)]
        });
        let full: Vec<_> = [pass_issued(1, 1, 1)].into_iter().chain(full).collect();
        given(full.clone()).when(start(21)).then([started(21)]);
        let over = full.into_iter().chain([started(21), confirmed(21)]);
        given(over.clone()).when(start(22)).then_rejected(Rejection::TooMany);
        given(over).when(issue_pass(2)).then([pass_issued(1, 2, 2)]);
    }
}
