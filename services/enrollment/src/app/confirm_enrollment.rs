//! Judging the proof that the user holds the authenticator.

use countersign_core::AuthenticatorId;
use countersign_domain::user_authenticators::{
    self as authenticators, Command, Confirmation, Event,
};
use countersign_eventsourcing::Request;
use countersign_factors::{Consumes, Verdict, factor};
use countersign_service::{ApiError, Foundation, Reason, User, open_record, seals};

use super::{Authenticators, find};
use crate::api::status::rejected;

/// What came of it.
pub(crate) enum Confirmed {
    /// The authenticator is bound.
    Confirmed(Authenticators),
    /// The code was wrong.
    Refused { authenticators: Authenticators, attempts_left: u32 },
}

/// Judges one code for a pending enrolment.
pub(crate) async fn confirm_enrollment(
    foundation: &Foundation,
    user: &User,
    request: &Request,
    authenticator_id: AuthenticatorId,
    code: &str,
) -> Result<Confirmed, ApiError> {
    let settings = foundation.existing_tenant(&user.tenant).await?;
    let stream = user.authenticators();
    let loaded = foundation.authenticators.load(&stream).await?;
    let now = foundation.now();
    // A repeat of the request that closed the enrolment finds its answer in the log, whatever is said here.
    let confirmation = match loaded.state.find(authenticator_id) {
        Some(pending) if pending.is_pending() => {
            let factor = factor(&pending.kind);
            let factor = factor.ok_or_else(|| ApiError::new(Reason::DataDamaged))?;
            let record = open_record(foundation, user, pending).await?;
            let record = record.ok_or_else(|| ApiError::new(Reason::EnrollmentClosed))?;
            let settings = seals::factor_settings(&settings.state, &pending.kind);
            let verdict = factor
                .confirm_enrollment(&record, &settings, code, now)
                .map_err(ApiError::internal)?;
            match verdict {
                Verdict::Right(Consumes::MovingFactor(factors)) => {
                    Confirmation::Right { consumed_factor: factors.last().copied() }
                }
                Verdict::Right(Consumes::Code { .. } | Consumes::Nothing) => {
                    Confirmation::Right { consumed_factor: None }
                }
                Verdict::Wrong => Confirmation::Wrong,
            }
        }
        _ => Confirmation::Wrong,
    };
    let command = authenticators::ConfirmEnrollment { authenticator_id, confirmation, now };
    let executed = foundation
        .authenticators
        .execute(&stream, request, Command::ConfirmEnrollment(command))
        .await
        .map_err(|error| ApiError::from_execute(error, rejected))?;
    let attempts_left = executed.events.iter().find_map(|event| {
        if let Event::EnrollmentAttemptFailed(failed) = event {
            Some(failed.attempts_left)
        } else {
            None
        }
    });
    match attempts_left {
        Some(attempts_left) => {
            Ok(Confirmed::Refused { authenticators: executed.folded, attempts_left })
        }
        None => {
            find(&executed.folded, authenticator_id)?;
            Ok(Confirmed::Confirmed(executed.folded))
        }
    }
}
