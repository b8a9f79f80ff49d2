//! Issuing a set of recovery codes in place of the previous one.

use countersign_core::{AuthenticatorId, Timestamp};
use countersign_crypto::Sealed;

use super::{Event, RecoveryCodesIssued, Rejection, State};

/// The kind of factor that a set of recovery codes is.
pub const RECOVERY_CODE_KIND: &str = "recovery_code";

/// Issues a set of recovery codes.
#[derive(Clone, Debug, PartialEq)]
pub struct IssueRecoveryCodes {
    /// The id to use if the user has no set yet.
    pub new_authenticator_id: AuthenticatorId,
    /// Memory-hard hashes of the codes.
    pub record: Sealed,
    /// How many codes.
    pub count: u32,
    /// The platform's own id of the user.
    pub user_id: Sealed,
    /// The present instant.
    pub now: Timestamp,
}

impl IssueRecoveryCodes {
    pub(super) fn decide(self, state: &State) -> Result<Vec<Event>, Rejection> {
        state.takes(&self.record)?;
        let (authenticator_id, generation) =
            state.next_generation(RECOVERY_CODE_KIND, self.new_authenticator_id)?;
        Ok(vec![Event::RecoveryCodesIssued(RecoveryCodesIssued {
            authenticator_id,
            generation,
            record: self.record,
            count: self.count,
            user_id: self.user_id,
            issued_at: self.now,
        })])
    }
}

#[cfg(test)]
mod tests {
    use super::super::{AuthenticatorSuspended, Command, fixtures::*};
    use super::*;

    fn issue(n: u8) -> Command {
        Command::IssueRecoveryCodes(IssueRecoveryCodes {
            new_authenticator_id: id(n),
            record: sealed(n),
            count: 10,
            user_id: sealed(0),
            now: at(5),
        })
    }

    #[test]
    fn a_first_set_is_an_active_authenticator_at_once() {
        given([]).when(issue(1)).then([codes_issued(1, 1, 1)]);
        given([]).when(issue(1)).then_state(|state| {
            assert!(state.recovery_codes().unwrap().is_active());
            assert_eq!(state.default_id(), None);
        });
    }

    #[test]
    fn a_new_set_keeps_the_id_so_that_failures_go_on_counting() {
        given([codes_issued(1, 1, 1)]).when(issue(2)).then([codes_issued(1, 2, 2)]);
    }

    #[test]
    fn a_suspended_set_is_not_replaced() {
        let suspended = Event::AuthenticatorSuspended(AuthenticatorSuspended {
            authenticator_id: id(1),
            reason: String::new(),
        });
        given([codes_issued(1, 1, 1), suspended])
            .when(issue(2))
            .then_rejected(Rejection::NotActive);
    }

    #[test]
    fn recovery_codes_come_last_among_the_active() {
        given([codes_issued(1, 1, 1), started(2), confirmed(2)]).when(issue(9)).then_state(
            |state| {
                assert_eq!(state.active().iter().map(|a| a.id).collect::<Vec<_>>(), [id(2), id(1)]);
            },
        );
    }
}
