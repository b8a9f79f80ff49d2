//! `IssueRecoveryCodes`.

use countersign_proto::enrollment as wire;
use countersign_service::{ApiError, Scope, caller::Touch, fields};

use super::EnrollmentApi;
use crate::app::issue_recovery_codes;

impl EnrollmentApi {
    pub(super) async fn handle_issue_codes(
        &self,
        scope: &Scope,
        message: wire::IssueRecoveryCodesRequest,
    ) -> Result<wire::IssueRecoveryCodesResponse, ApiError> {
        let user_id = fields::user_id(&message.user_id)?;
        let user = scope.user(&self.foundation, &user_id, Touch::Change).await?;
        scope.begin(&user, None)?;
        let stream = user.authenticators();
        let request = scope.command(&self.foundation, &stream, &message.request_id, &message)?;
        let issued = issue_recovery_codes(&self.foundation, &user, &request, &user_id).await?;
        Ok(wire::IssueRecoveryCodesResponse {
            authenticator: self
                .show(&user, &issued.authenticators, issued.authenticator_id)
                .await?,
            codes: issued.codes.iter().map(|code| code.expose().to_owned()).collect(),
        })
    }
}
