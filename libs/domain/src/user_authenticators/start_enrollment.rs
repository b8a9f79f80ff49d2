//! Beginning to bind an authenticator.

use std::collections::BTreeMap;

use countersign_core::{AuthenticatorId, Timestamp};
use countersign_crypto::Sealed;

use super::{
    AbandonReason, EnrollmentAbandoned, EnrollmentStarted, Event, Rejection, State, Status,
};

/// How many authenticators a user may have, pending ones included, removed ones and a temporary access pass not.
pub const MAX_AUTHENTICATORS: usize = 20;

/// Begins to bind an authenticator. A pending enrolment of the same kind gives way to it.
#[derive(Clone, Debug, PartialEq)]
pub struct StartEnrollment {
    /// The authenticator's id, new.
    pub authenticator_id: AuthenticatorId,
    /// Its kind.
    pub kind: Box<str>,
    /// What the user calls it.
    pub display_name: Sealed,
    /// The platform's own id of the user.
    pub user_id: Sealed,
    /// What the factor keeps.
    pub record: Sealed,
    /// What may be told about the set-up.
    pub parameters: BTreeMap<String, String>,
    /// The present instant.
    pub now: Timestamp,
    /// When the enrolment lapses.
    pub expires_at: Timestamp,
}

impl StartEnrollment {
    pub(super) fn decide(self, state: &State) -> Result<Vec<Event>, Rejection> {
        state.takes(&self.record)?;
        let mut events = Vec::new();
        let mut kept = 0;
        for authenticator in state.authenticators() {
            match authenticator.status {
                Status::Pending { expires_at, .. } => {
                    let reason = if self.now >= expires_at {
                        AbandonReason::Expired
                    } else if authenticator.kind == self.kind {
                        AbandonReason::Superseded
                    } else {
                        kept += 1;
                        continue;
                    };
                    events.push(Event::EnrollmentAbandoned(EnrollmentAbandoned {
                        authenticator_id: authenticator.id,
                        reason,
                    }));
                }
                // A pass is the help desk's, not one of the user's own.
                Status::Active { .. } | Status::Suspended { .. } => {
                    kept += usize::from(authenticator.pass.is_none());
                }
                Status::Removed { .. } => {}
            }
        }
        if kept >= MAX_AUTHENTICATORS {
            return Err(Rejection::TooMany);
        }
        events.push(Event::EnrollmentStarted(EnrollmentStarted {
            authenticator_id: self.authenticator_id,
            kind: self.kind,
            display_name: self.display_name,
            user_id: self.user_id,
            record: self.record,
            parameters: self.parameters,
            expires_at: self.expires_at,
            started_at: self.now,
        }));
        Ok(events)
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::*;
    use super::*;

    #[test]
    fn a_first_enrolment_starts() {
        given([]).when(start(1)).then([started(1)]);
    }

    #[test]
    fn a_newer_enrolment_of_the_same_kind_supersedes_the_pending_one() {
        given([started(1)])
            .when(start(2))
            .then([abandoned(1, AbandonReason::Superseded), started(2)]);
    }

    #[test]
    fn an_expired_enrolment_is_recorded_as_abandoned() {
        let mut late = start_enrollment(2);
        late.now = at(601);
        late.expires_at = at(1_201);
        let mut restarted = enrollment_started(2);
        restarted.started_at = at(601);
        restarted.expires_at = at(1_201);
        given([started(1)])
            .when(crate::user_authenticators::Command::StartEnrollment(late))
            .then([abandoned(1, AbandonReason::Expired), Event::EnrollmentStarted(restarted)]);
    }

    #[test]
    fn there_is_a_limit_and_removal_makes_room() {
        let full: Vec<_> = (1..=20).flat_map(|n| [started(n), confirmed(n)]).collect();
        given(full.clone()).when(start(21)).then_rejected(Rejection::TooMany);
        given(full.into_iter().chain([removed(1)])).when(start(21)).then([started(21)]);
    }
}
