//! Judging the proof that the user holds the authenticator.

use countersign_core::{AuthenticatorId, Timestamp};

use super::{
    AbandonReason, DefaultAuthenticatorSet, EnrollmentAbandoned, EnrollmentAttemptFailed,
    EnrollmentConfirmed, Event, Rejection, State, Status,
};

/// Wrong codes that a pending enrolment takes before it is abandoned.
pub const MAX_CONFIRM_ATTEMPTS: u32 = 10;

/// What the factor said about the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirmation {
    /// Right; for a one-time password, with its moving factor.
    Right {
        /// The moving factor that the code used up.
        consumed_factor: Option<u64>,
    },
    /// Wrong.
    Wrong,
}

/// Judges one answer for a pending enrolment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ConfirmEnrollment {
    /// The pending authenticator.
    pub authenticator_id: AuthenticatorId,
    /// What the factor said.
    pub confirmation: Confirmation,
    /// The present instant.
    pub now: Timestamp,
}

impl ConfirmEnrollment {
    pub(super) fn decide(self, state: &State) -> Result<Vec<Event>, Rejection> {
        let authenticator_id = self.authenticator_id;
        let authenticator = state.find(authenticator_id).ok_or(Rejection::NotFound)?;
        let Status::Pending { expires_at, attempts_left } = authenticator.status else {
            return Err(Rejection::EnrollmentClosed);
        };
        if self.now >= expires_at {
            return Err(Rejection::EnrollmentExpired);
        }
        Ok(match self.confirmation {
            Confirmation::Right { consumed_factor } => {
                let confirmed = Event::EnrollmentConfirmed(EnrollmentConfirmed {
                    authenticator_id,
                    consumed_factor,
                    confirmed_at: self.now,
                });
                if state.default_id().is_some() {
                    vec![confirmed]
                } else {
                    let default = Event::DefaultAuthenticatorSet(DefaultAuthenticatorSet {
                        authenticator_id,
                    });
                    vec![confirmed, default]
                }
            }
            Confirmation::Wrong => {
                let attempts_left = attempts_left.saturating_sub(1);
                let failed = Event::EnrollmentAttemptFailed(EnrollmentAttemptFailed {
                    authenticator_id,
                    attempts_left,
                });
                if attempts_left > 0 {
                    vec![failed]
                } else {
                    let abandoned = Event::EnrollmentAbandoned(EnrollmentAbandoned {
                        authenticator_id,
                        reason: AbandonReason::AttemptsExhausted,
                    });
                    vec![failed, abandoned]
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::*;
    use super::*;

    #[test]
    fn the_first_confirmed_authenticator_becomes_the_default() {
        given([started(1)]).when(confirm(1, RIGHT, 10)).then([confirmed(1), default_set(1)]);
    }

    #[test]
    fn a_second_one_does_not_take_the_default_away() {
        given([started(1), confirmed(1), default_set(1), started(2)])
            .when(confirm(2, RIGHT, 10))
            .then([confirmed(2)]);
    }

    #[test]
    fn a_wrong_code_is_recorded_and_costs_an_attempt() {
        given([started(1)])
            .when(confirm(1, Confirmation::Wrong, 10))
            .then([attempt_failed(1, MAX_CONFIRM_ATTEMPTS - 1)]);
    }

    #[test]
    fn the_last_wrong_code_abandons_the_enrolment() {
        given([started(1), attempt_failed(1, 1)])
            .when(confirm(1, Confirmation::Wrong, 10))
            .then([attempt_failed(1, 0), abandoned(1, AbandonReason::AttemptsExhausted)]);
    }

    #[test]
    fn an_enrolment_can_be_confirmed_only_while_it_is_pending() {
        given([]).when(confirm(1, RIGHT, 10)).then_rejected(Rejection::NotFound);
        given([started(1), confirmed(1)])
            .when(confirm(1, RIGHT, 10))
            .then_rejected(Rejection::EnrollmentClosed);
        given([started(1)])
            .when(confirm(1, RIGHT, 600))
            .then_rejected(Rejection::EnrollmentExpired);
    }
}
