//! `IssueTemporaryAccessPass`.

use countersign_domain::wire::timestamp_to_wire;
use countersign_proto::enrollment as wire;
use countersign_service::{ApiError, Scope, caller::Touch, fields};

use super::EnrollmentApi;
use crate::app::{IssueTemporaryAccessPass, issue_temporary_access_pass};

impl EnrollmentApi {
    pub(super) async fn handle_issue_pass(
        &self,
        scope: &Scope,
        message: wire::IssueTemporaryAccessPassRequest,
    ) -> Result<wire::IssueTemporaryAccessPassResponse, ApiError> {
        let user_id = fields::user_id(&message.user_id)?;
        let user = scope.user(&self.foundation, &user_id, Touch::Change).await?;
        scope.begin(&user, None)?;
        let stream = user.authenticators();
        let request = scope.command(&self.foundation, &stream, &message.request_id, &message)?;
        let lifetime = message.lifetime.map(|given| fields::positive_duration("lifetime", given));
        let asked = IssueTemporaryAccessPass {
            user_id,
            lifetime: lifetime.transpose()?,
            single_use: message.single_use.unwrap_or(true),
            starts_at: fields::instant("starts_at", message.starts_at.as_ref())?,
        };
        let issued = issue_temporary_access_pass(&self.foundation, &user, &request, asked).await?;
        Ok(wire::IssueTemporaryAccessPassResponse {
            authenticator: self
                .show(&user, &issued.authenticators, issued.authenticator_id)
                .await?,
            code: issued.code.expose().to_owned(),
            starts_at: Some(timestamp_to_wire(issued.pass.starts_at)),
            ends_at: Some(timestamp_to_wire(issued.pass.ends_at)),
        })
    }
}
