//! `EraseUser`.

use countersign_domain::wire::timestamp_to_wire;
use countersign_proto::enrollment as wire;
use countersign_service::{ApiError, Scope, caller::Touch, fields};

use super::EnrollmentApi;
use crate::app::erase_user;

impl EnrollmentApi {
    pub(super) async fn handle_erase_user(
        &self,
        scope: &Scope,
        message: wire::EraseUserRequest,
    ) -> Result<wire::EraseUserResponse, ApiError> {
        // Of a user of whom nothing is known, nobody knows the organisation.
        scope.caller.check_unconfined()?;
        let user = self.user(scope, &message.user_id, Touch::Change).await?;
        let stream = user.authenticators();
        let request = scope.command(&self.foundation, &stream, &message.request_id, &message)?;
        let reason = fields::text("reason", &message.reason, 256)?;
        let erased_at = erase_user(&self.foundation, &user, &request, reason).await?;
        Ok(wire::EraseUserResponse { erased_at: Some(timestamp_to_wire(erased_at)) })
    }
}
