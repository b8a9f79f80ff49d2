//! `EraseTenant`.

use std::sync::Arc;

use countersign_core::{FieldProblem, TenantId};
use countersign_domain::{tenant::Command, wire::timestamp_to_wire};
use countersign_proto::admin as wire;
use countersign_service::{ApiError, Reason, Scope, fields};

use super::{AdminApi, quorum::details};
use crate::app::{TENANT_ERASED, TenantErasure, erase_tenant};

impl AdminApi {
    pub(super) async fn handle_erase_tenant(
        &self,
        scope: &Scope,
        message: wire::EraseTenantRequest,
    ) -> Result<wire::EraseTenantResponse, ApiError> {
        let tenant = scope.tenant()?;
        let confirmed = fields::field("tenant_id", TenantId::parse(&message.tenant_id))?;
        if confirmed != *tenant || tenant.is_platform() {
            let problem = FieldProblem::Other(
                "must be the tenant that the metadata `countersign-tenant` names, and not `platform`",
            );
            return Err(ApiError::field("tenant_id", problem));
        }
        let content = wire::EraseTenantRequest { request_id: String::new(), ..message.clone() };
        let details = details([("tenant_id", tenant.to_string())]);
        let deed = self.deed(scope, &message.request_id, &message, &content, details)?;
        let command = Command::Erase { now: self.foundation.now() };
        let executed = self.perform(&deed, command).await?;
        let erased_at = executed.folded.state.erased_at();
        let erased_at = erased_at.ok_or_else(|| ApiError::new(Reason::Internal))?;
        let erasure = TenantErasure {
            tenant: tenant.clone(),
            reason: TENANT_ERASED.to_owned(),
            requester: Arc::clone(&scope.caller.requester),
            correlation_id: scope.correlation_id,
        };
        let users = erase_tenant(&self.foundation, &erasure, |_, _| {}).await.map_err(not_yet)?;
        tracing::info!(%tenant, users, "a tenant was erased");
        Ok(wire::EraseTenantResponse { erased_at: Some(timestamp_to_wire(erased_at)) })
    }
}

/// Says that the log holds the erasure, where not all users' keys could be destroyed at once.
fn not_yet(error: ApiError) -> ApiError {
    let message = "the tenant is erased, but not all data keys of its users are destroyed yet: they will be as soon as the \
                   log and the store of data keys let it; repeat to be told";
    ApiError { message: message.to_owned(), ..error }
}
