//! `CreateApplication` and `SetMfaRequirement`.

use countersign_core::{ApplicationId, FieldProblem};
use countersign_domain::{policy::MfaRequirement, tenant::Command};
use countersign_proto::admin as wire;
use countersign_service::{ApiError, Reason, Scope, fields};

use super::{AdminApi, convert, quorum::details};

/// An application cannot leave it to the applications.
const NOT_PER_APPLICATION: FieldProblem =
    FieldProblem::Other("may be NEVER or ALWAYS for an application");

impl AdminApi {
    pub(super) async fn handle_create_application(
        &self,
        scope: &Scope,
        message: wire::CreateApplicationRequest,
    ) -> Result<wire::CreateApplicationResponse, ApiError> {
        let tenant = scope.tenant()?;
        let request = self.request(scope, tenant, &message.request_id, &message)?;
        let id = ApplicationId::parse(&message.application_id);
        let application_id = fields::field("application_id", id)?;
        let requirement = convert::requirement(message.mfa_requirement)?;
        if requirement == Some(MfaRequirement::PerApplication) {
            return Err(ApiError::field("mfa_requirement", NOT_PER_APPLICATION));
        }
        let command = Command::CreateApplication {
            application_id: application_id.clone(),
            display_name: fields::display_name("display_name", &message.display_name)?,
            requirement,
        };
        let executed = self.execute(tenant, &request, command).await?;
        let application = executed.folded.state.application(&application_id);
        let application = application.ok_or_else(|| ApiError::new(Reason::Internal))?;
        let application = Some(convert::application(&application_id, application));
        Ok(wire::CreateApplicationResponse { application })
    }

    pub(super) async fn handle_set_requirement(
        &self,
        scope: &Scope,
        message: wire::SetMfaRequirementRequest,
    ) -> Result<wire::SetMfaRequirementResponse, ApiError> {
        let tenant = scope.tenant()?;
        let application_id =
            fields::optional("application_id", &message.application_id, ApplicationId::parse)?;
        let requirement = convert::requirement(message.mfa_requirement)?
            .ok_or_else(|| ApiError::field("mfa_requirement", FieldProblem::Missing))?;
        if application_id.is_some() && requirement == MfaRequirement::PerApplication {
            return Err(ApiError::field("mfa_requirement", NOT_PER_APPLICATION));
        }
        let command = Command::SetMfaRequirement { application_id, requirement };
        let content =
            wire::SetMfaRequirementRequest { request_id: String::new(), ..message.clone() };
        let details = details([
            ("application_id", message.application_id.clone()),
            ("mfa_requirement", message.mfa_requirement().as_str_name().to_owned()),
        ]);
        let deed = self.deed(scope, &message.request_id, &message, &content, details)?;
        let executed = self.perform(&deed, command).await?;
        let tenant = Some(convert::tenant(tenant, &executed.folded.state));
        Ok(wire::SetMfaRequirementResponse { tenant })
    }
}
