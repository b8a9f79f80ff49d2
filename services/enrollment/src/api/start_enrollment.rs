//! `StartEnrollment`.

use countersign_domain::wire::timestamp_to_wire;
use countersign_proto::enrollment as wire;
use countersign_service::{ApiError, Scope, caller::Touch, fields};

use super::{EnrollmentApi, convert};
use crate::app::{StartEnrollment, start_enrollment};

impl EnrollmentApi {
    pub(super) async fn handle_start(
        &self,
        scope: &Scope,
        message: wire::StartEnrollmentRequest,
    ) -> Result<wire::StartEnrollmentResponse, ApiError> {
        let user_id = fields::user_id(&message.user_id)?;
        let user = scope.user(&self.foundation, &user_id, Touch::Change).await?;
        scope.begin(&user, None)?;
        let stream = user.authenticators();
        let request = scope.command(&self.foundation, &stream, &message.request_id, &message)?;
        let kind = fields::text("kind", &message.kind, 32)?;
        let parameters = convert::parameters(&kind, message.parameters)?;
        let account_name = fields::text("account_name", &message.account_name, 256)?;
        let asked = StartEnrollment {
            kind,
            display_name: fields::text("display_name", &message.display_name, 128)?,
            account_name: if account_name.is_empty() { message.user_id } else { account_name },
            user_id,
            parameters,
        };
        let started = start_enrollment(&self.foundation, &user, &request, asked).await?;
        Ok(wire::StartEnrollmentResponse {
            authenticator: self
                .show_or_gone(&user, &started.authenticators, started.authenticator_id)
                .await?,
            expires_at: Some(timestamp_to_wire(started.expires_at)),
            provisioning: convert::provisioning(started.provisioning)?,
        })
    }
}
