//! `SetFactorSettings`.

use countersign_core::FieldProblem;
use countersign_domain::tenant::Command;
use countersign_factors::{factor, kinds};
use countersign_proto::admin as wire;
use countersign_service::{ApiError, Reason, Scope};

use super::{AdminApi, convert, quorum::details};

impl AdminApi {
    pub(super) async fn handle_set_factor_settings(
        &self,
        scope: &Scope,
        message: wire::SetFactorSettingsRequest,
    ) -> Result<wire::SetFactorSettingsResponse, ApiError> {
        let tenant = scope.tenant()?;
        let given = message.settings.clone().unwrap_or_default();
        if factor(&given.kind).is_none() {
            let known: Vec<_> = kinds().collect();
            let message =
                format!("there is no such kind of factor; there are {}", known.join(", "));
            let problem = FieldProblem::Other("must be one of the kinds that the message lists");
            return Err(ApiError::with_message(Reason::FactorKindUnknown, message)
                .at("settings.kind", problem));
        }
        let command = Command::SetFactorSettings {
            kind: given.kind.as_str().into(),
            settings: convert::factor_settings(&given)?,
        };
        let content =
            wire::SetFactorSettingsRequest { request_id: String::new(), ..message.clone() };
        let details =
            details([("kind", given.kind.clone()), ("disabled", given.disabled.to_string())]);
        let deed = self.deed(scope, &message.request_id, &message, &content, details)?;
        let executed = self.perform(&deed, command).await?;
        let tenant = Some(convert::tenant(tenant, &executed.folded.state));
        Ok(wire::SetFactorSettingsResponse { tenant })
    }
}
