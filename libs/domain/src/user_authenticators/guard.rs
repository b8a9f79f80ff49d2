//! Which events of a user's authenticators are dangerous acts.

use std::collections::BTreeSet;

use countersign_core::AuthenticatorId;

use super::{Authenticator, Event, RECOVERY_CODE_KIND, State, TEMPORARY_ACCESS_PASS_KIND};
use crate::approval::DangerousAct;

/// What a command may not do without the agreement of others. The tenant says so, whose stream is another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guard {
    /// The acts.
    pub acts: BTreeSet<DangerousAct>,
    /// Kinds that the tenant has put out of use: no user can prove themselves with them.
    pub disabled_kinds: BTreeSet<Box<str>>,
}

impl Guard {
    /// Returns the act that `event` would be and that needs the agreement of others.
    pub(super) fn act_in_need(&self, state: &State, event: &Event) -> Option<DangerousAct> {
        if !state.placement().privileged {
            return None;
        }
        self.act(state, event).filter(|act| self.acts.contains(act))
    }

    /// Returns the dangerous act that `event` would be for a user with privilege.
    fn act(&self, state: &State, event: &Event) -> Option<DangerousAct> {
        match event {
            Event::AuthenticatorRemoved(event) => self.takes_last(state, event.authenticator_id),
            Event::AuthenticatorSuspended(event) => self.takes_last(state, event.authenticator_id),
            Event::UserPlaced(event) => {
                (!event.placement.privileged).then_some(DangerousAct::PlacePrivilege)
            }
            // Nothing is accepted for an erased user any more: nobody can take their place.
            Event::UserErased(_)
            | Event::EnrollmentStarted(_)
            | Event::EnrollmentConfirmed(_)
            | Event::EnrollmentAttemptFailed(_)
            | Event::EnrollmentAbandoned(_)
            | Event::AuthenticatorRenamed(_)
            | Event::DefaultAuthenticatorSet(_)
            | Event::AuthenticatorReinstated(_)
            | Event::RecoveryCodesIssued(_)
            | Event::TemporaryAccessPassIssued(_)
            | Event::SecretsResealed(_)
            | Event::SelfServiceTokenIssued(_) => None,
        }
    }

    fn takes_last(&self, state: &State, id: AuthenticatorId) -> Option<DangerousAct> {
        let mut proofs = state.authenticators().iter().filter(|one| self.is_proof(one));
        let is_last = proofs.next().is_some_and(|one| one.id == id) && proofs.next().is_none();
        is_last.then_some(DangerousAct::RemoveLastAuthenticator)
    }

    /// Returns whether a user can prove themselves with it, and not just be helped out by it.
    fn is_proof(&self, authenticator: &Authenticator) -> bool {
        let kind = &*authenticator.kind;
        authenticator.is_active()
            && ![RECOVERY_CODE_KIND, TEMPORARY_ACCESS_PASS_KIND].contains(&kind)
            && !self.disabled_kinds.contains(kind)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{
        Command, PlaceUser, Placement, Rejection, RemoveAuthenticator, SuspendAuthenticator,
        UserPlaced, fixtures::*,
    };
    use super::*;

    fn guard() -> Guard {
        let acts = DangerousAct::ALL.iter().copied().collect();
        Guard { acts, disabled_kinds: BTreeSet::new() }
    }

    fn guarded(guard: Guard, command: Command) -> Command {
        Command::Guarded(guard, Box::new(command))
    }

    fn remove(n: u8) -> Command {
        Command::Remove(RemoveAuthenticator {
            authenticator_id: id(n),
            reason: "replaced".to_owned(),
            now: at(20),
        })
    }

    fn suspend(n: u8) -> Command {
        let (authenticator_id, reason) = (id(n), "lost".to_owned());
        Command::Suspend(SuspendAuthenticator { authenticator_id, reason })
    }

    fn place(privileged: bool) -> Command {
        let placement = Placement { organisation_id: None, privileged };
        Command::PlaceUser(PlaceUser { placement, user_id: sealed(9), now: at(20) })
    }

    fn placed(privileged: bool) -> Event {
        Event::UserPlaced(UserPlaced {
            placement: Placement { organisation_id: None, privileged },
            user_id: sealed(9),
            placed_at: at(20),
        })
    }

    const LAST: Rejection = Rejection::NeedsApproval(DangerousAct::RemoveLastAuthenticator);

    #[test]
    fn the_last_authenticator_of_a_user_with_privilege_is_guarded() {
        let one = [started(1), confirmed(1), placed(true)];
        given(one.clone()).when(guarded(guard(), remove(1))).then_rejected(LAST);
        given(one.clone()).when(guarded(guard(), suspend(1))).then_rejected(LAST);
        given(one.clone()).when(remove(1)).then([removed(1)]);
        given(one).when(guarded(Guard::default(), remove(1))).then([removed(1)]);
        let plain = [started(1), confirmed(1)];
        given(plain).when(guarded(guard(), remove(1))).then([removed(1)]);
    }

    #[test]
    fn one_of_two_goes_freely_and_then_the_other_is_the_last() {
        let two = [started(1), confirmed(1), started(2), confirmed(2), placed(true)];
        given(two.clone()).when(guarded(guard(), remove(1))).then([removed(1)]);
        given(two)
            .when(guarded(guard(), remove(1)))
            .when(guarded(guard(), remove(2)))
            .then_rejected(LAST);
    }

    #[test]
    fn what_only_helps_out_or_is_out_of_use_or_pending_is_no_other() {
        let with_codes = [started(1), confirmed(1), codes_issued(3, 1, 3), placed(true)];
        given(with_codes.clone()).when(guarded(guard(), remove(1))).then_rejected(LAST);
        given(with_codes).when(guarded(guard(), remove(3))).then([removed(3)]);
        let pending = [started(1), confirmed(1), started(2), placed(true)];
        given(pending.clone()).when(guarded(guard(), remove(1))).then_rejected(LAST);
        given(pending).when(guarded(guard(), remove(2))).then([removed(2)]);
        let out_of_use = Guard { disabled_kinds: ["totp".into()].into(), ..guard() };
        let one = [started(1), confirmed(1), placed(true)];
        given(one).when(guarded(out_of_use, remove(1))).then([removed(1)]);
    }

    #[test]
    fn taking_privilege_away_is_guarded_and_giving_it_is_not() {
        let rejection = Rejection::NeedsApproval(DangerousAct::PlacePrivilege);
        given([placed(true)]).when(guarded(guard(), place(false))).then_rejected(rejection);
        given([placed(true)]).when(place(false)).then([placed(false)]);
        given([]).when(guarded(guard(), place(true))).then([placed(true)]);
    }

    #[test]
    fn a_guarded_command_is_rejected_like_any_other() {
        given([]).when(guarded(guard(), remove(1))).then_rejected(Rejection::NotFound);
    }
}
