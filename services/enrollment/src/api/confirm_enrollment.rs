//! `ConfirmEnrollment`.

use countersign_proto::enrollment as wire;
use countersign_service::{ApiError, Scope, caller::Touch, fields};

use super::{EnrollmentApi, authenticator_id};
use crate::app::{Confirmed, confirm_enrollment};

impl EnrollmentApi {
    pub(super) async fn handle_confirm(
        &self,
        scope: &Scope,
        message: wire::ConfirmEnrollmentRequest,
    ) -> Result<wire::ConfirmEnrollmentResponse, ApiError> {
        let user = self.user(scope, &message.user_id, Touch::Change).await?;
        let stream = user.authenticators();
        let request = scope.command(&self.foundation, &stream, &message.request_id, &message)?;
        let id = authenticator_id(&message.authenticator_id)?;
        let code = fields::code(&message.code)?;
        let confirmed = confirm_enrollment(&self.foundation, &user, &request, id, code).await?;
        let (outcome, attempts_left, authenticators) = match confirmed {
            Confirmed::Confirmed(authenticators) => {
                (wire::ConfirmationOutcome::Confirmed, 0, authenticators)
            }
            Confirmed::Refused { authenticators, attempts_left } => {
                (wire::ConfirmationOutcome::Refused, attempts_left, authenticators)
            }
        };
        Ok(wire::ConfirmEnrollmentResponse {
            outcome: outcome.into(),
            attempts_left,
            authenticator: self.show_or_gone(&user, &authenticators, id).await?,
        })
    }
}
