//! What can be done with an authenticator once it is bound: rename, prefer, set aside, take back, remove.

use countersign_core::{AuthenticatorId, Timestamp};
use countersign_crypto::Sealed;

use super::{
    AuthenticatorReinstated, AuthenticatorRemoved, AuthenticatorRenamed, AuthenticatorSuspended,
    DefaultAuthenticatorSet, Event, Rejection, State, Status,
};

/// Changes what the user calls an authenticator.
#[derive(Clone, Debug, PartialEq)]
pub struct RenameAuthenticator {
    /// The authenticator.
    pub authenticator_id: AuthenticatorId,
    /// Its new name.
    pub display_name: Sealed,
}

impl RenameAuthenticator {
    pub(super) fn decide(self, state: &State) -> Result<Vec<Event>, Rejection> {
        let authenticator = state.find(self.authenticator_id).ok_or(Rejection::NotFound)?;
        if authenticator.is_removed() {
            return Err(Rejection::Removed);
        }
        Ok(vec![Event::AuthenticatorRenamed(AuthenticatorRenamed {
            authenticator_id: self.authenticator_id,
            display_name: self.display_name,
        })])
    }
}

/// Makes an active authenticator the one that challenges prefer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SetDefaultAuthenticator {
    /// The authenticator.
    pub authenticator_id: AuthenticatorId,
}

impl SetDefaultAuthenticator {
    pub(super) fn decide(self, state: &State) -> Result<Vec<Event>, Rejection> {
        let authenticator = state.find(self.authenticator_id).ok_or(Rejection::NotFound)?;
        if !authenticator.is_active() {
            return Err(Rejection::NotActive);
        }
        if authenticator.pass.is_some() {
            return Err(Rejection::NeverDefault);
        }
        if state.default_id() == Some(self.authenticator_id) {
            return Ok(vec![]);
        }
        Ok(vec![Event::DefaultAuthenticatorSet(DefaultAuthenticatorSet {
            authenticator_id: self.authenticator_id,
        })])
    }
}

/// Sets an active authenticator aside.
#[derive(Clone, Debug, PartialEq)]
pub struct SuspendAuthenticator {
    /// The authenticator.
    pub authenticator_id: AuthenticatorId,
    /// Why.
    pub reason: String,
}

impl SuspendAuthenticator {
    pub(super) fn decide(self, state: &State) -> Result<Vec<Event>, Rejection> {
        let authenticator = state.find(self.authenticator_id).ok_or(Rejection::NotFound)?;
        match authenticator.status {
            Status::Suspended { .. } => Ok(vec![]),
            Status::Active { .. } => {
                Ok(vec![Event::AuthenticatorSuspended(AuthenticatorSuspended {
                    authenticator_id: self.authenticator_id,
                    reason: self.reason,
                })])
            }
            Status::Pending { .. } | Status::Removed { .. } => Err(Rejection::NotActive),
        }
    }
}

/// Takes a suspended authenticator back into service.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReinstateAuthenticator {
    /// The authenticator.
    pub authenticator_id: AuthenticatorId,
}

impl ReinstateAuthenticator {
    pub(super) fn decide(self, state: &State) -> Result<Vec<Event>, Rejection> {
        let authenticator_id = self.authenticator_id;
        let authenticator = state.find(authenticator_id).ok_or(Rejection::NotFound)?;
        match authenticator.status {
            Status::Active { .. } => Ok(vec![]),
            Status::Suspended { .. } => {
                Ok(vec![Event::AuthenticatorReinstated(AuthenticatorReinstated {
                    authenticator_id,
                })])
            }
            Status::Pending { .. } | Status::Removed { .. } => Err(Rejection::NotSuspended),
        }
    }
}

/// Removes an authenticator for good.
#[derive(Clone, Debug, PartialEq)]
pub struct RemoveAuthenticator {
    /// The authenticator.
    pub authenticator_id: AuthenticatorId,
    /// Why.
    pub reason: String,
    /// The present instant.
    pub now: Timestamp,
}

impl RemoveAuthenticator {
    pub(super) fn decide(self, state: &State) -> Result<Vec<Event>, Rejection> {
        let authenticator = state.find(self.authenticator_id).ok_or(Rejection::NotFound)?;
        if authenticator.is_removed() {
            return Ok(vec![]);
        }
        Ok(vec![Event::AuthenticatorRemoved(AuthenticatorRemoved {
            authenticator_id: self.authenticator_id,
            reason: self.reason,
            removed_at: self.now,
        })])
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Command, fixtures::*};
    use super::*;

    fn bound() -> Vec<Event> {
        vec![started(1), confirmed(1), default_set(1), started(2), confirmed(2)]
    }

    fn with(more: impl IntoIterator<Item = Event>) -> Vec<Event> {
        bound().into_iter().chain(more).collect()
    }

    fn suspend(n: u8) -> Command {
        Command::Suspend(SuspendAuthenticator {
            authenticator_id: id(n),
            reason: "lost phone".to_owned(),
        })
    }

    fn suspended(n: u8) -> Event {
        Event::AuthenticatorSuspended(AuthenticatorSuspended {
            authenticator_id: id(n),
            reason: "lost phone".to_owned(),
        })
    }

    fn reinstate(n: u8) -> Command {
        Command::Reinstate(ReinstateAuthenticator { authenticator_id: id(n) })
    }

    fn reinstated(n: u8) -> Event {
        Event::AuthenticatorReinstated(AuthenticatorReinstated { authenticator_id: id(n) })
    }

    fn remove(n: u8) -> Command {
        Command::Remove(RemoveAuthenticator {
            authenticator_id: id(n),
            reason: "replaced".to_owned(),
            now: at(20),
        })
    }

    fn prefer(n: u8) -> Command {
        Command::SetDefault(SetDefaultAuthenticator { authenticator_id: id(n) })
    }

    fn rename(n: u8) -> Command {
        Command::Rename(RenameAuthenticator { authenticator_id: id(n), display_name: sealed(9) })
    }

    #[test]
    fn an_authenticator_is_renamed_until_it_is_removed() {
        let renamed = Event::AuthenticatorRenamed(AuthenticatorRenamed {
            authenticator_id: id(1),
            display_name: sealed(9),
        });
        given(bound()).when(rename(1)).then([renamed]);
        given(with([removed(1)])).when(rename(1)).then_rejected(Rejection::Removed);
        given([]).when(rename(1)).then_rejected(Rejection::NotFound);
    }

    #[test]
    fn only_an_active_authenticator_can_be_preferred() {
        given(bound()).when(prefer(2)).then([default_set(2)]);
        given(bound()).when(prefer(1)).then([]);
        given(with([suspended(2)])).when(prefer(2)).then_rejected(Rejection::NotActive);
        given([started(1)]).when(prefer(1)).then_rejected(Rejection::NotActive);
        given([]).when(prefer(1)).then_rejected(Rejection::NotFound);
    }

    #[test]
    fn suspending_twice_is_the_same_as_once() {
        given(bound()).when(suspend(1)).then([suspended(1)]);
        given(with([suspended(1)])).when(suspend(1)).then([]);
        given([started(1)]).when(suspend(1)).then_rejected(Rejection::NotActive);
        given([]).when(suspend(1)).then_rejected(Rejection::NotFound);
    }

    #[test]
    fn a_suspended_authenticator_answers_nothing_until_reinstated() {
        given(bound()).when(suspend(1)).then_state(|state| {
            assert_eq!(state.active().iter().map(|a| a.id).collect::<Vec<_>>(), [id(2)]);
        });
        given(with([suspended(1)])).when(reinstate(1)).then([reinstated(1)]);
        given(bound()).when(reinstate(1)).then([]);
        given(with([removed(1)])).when(reinstate(1)).then_rejected(Rejection::NotSuspended);
        given([]).when(reinstate(1)).then_rejected(Rejection::NotFound);
    }

    #[test]
    fn removal_takes_the_record_and_the_default_away() {
        given(bound()).when(remove(1)).then([removed(1)]);
        given(with([removed(1)])).when(remove(1)).then([]);
        given([]).when(remove(1)).then_rejected(Rejection::NotFound);
        given(bound()).when(remove(1)).then_state(|state| {
            assert_eq!(state.default_id(), None);
            assert_eq!(state.find(id(1)).unwrap().record, None);
        });
    }
}
