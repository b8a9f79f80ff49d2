//! AdminService on the wire: tenants, applications, requirements, factor settings and API keys.

mod api_keys;
mod applications;
mod approval_directory;
mod approvals;
mod bootstrap;
mod break_glass;
mod convert;
mod directory;
mod erase_tenant;
mod factor_settings;
mod organisations;
mod quorum;
mod retention;
mod status;
mod tenants;

use std::sync::Arc;

use countersign_core::TenantId;
use countersign_domain::tenant::{Command, State, Tenant};
use countersign_eventsourcing::{Executed, Request as CommandRequest};
use countersign_proto::admin as wire;
use countersign_service::{ApiError, Foundation, Scope, tenant_stream};

pub use approval_directory::ApprovalDirectory;
pub use bootstrap::{BootstrapError, bootstrap};
pub use directory::TenantDirectory;

/// What AdminService lists from.
#[derive(Clone, Debug, Default)]
pub struct Directories {
    /// Which tenants there are.
    pub tenants: Arc<TenantDirectory>,
    /// Which requests for approval there are.
    pub approvals: Arc<ApprovalDirectory>,
}

/// AdminService over a foundation.
#[derive(Debug)]
pub struct AdminApi {
    foundation: Arc<Foundation>,
    directory: Arc<TenantDirectory>,
    approvals: Arc<ApprovalDirectory>,
}

impl AdminApi {
    pub(crate) fn new(foundation: Arc<Foundation>, directories: Directories) -> Self {
        let Directories { tenants: directory, approvals } = directories;
        Self { foundation, directory, approvals }
    }

    /// Makes the request of a command on a tenant's settings.
    fn request(
        &self,
        scope: &Scope,
        tenant: &TenantId,
        request_id: &str,
        message: &impl prost::Message,
    ) -> Result<CommandRequest, ApiError> {
        scope.command(&self.foundation, &tenant_stream(tenant), request_id, message)
    }

    /// Carries a command out on a tenant's settings.
    async fn execute(
        &self,
        tenant: &TenantId,
        request: &CommandRequest,
        command: Command,
    ) -> Result<Executed<Tenant>, ApiError> {
        let stream = tenant_stream(tenant);
        let executed = self.foundation.tenants.execute(&stream, request, command).await;
        executed.map_err(|error| ApiError::from_execute(error, status::rejected))
    }

    /// Returns the settings of a tenant that must be there.
    async fn settings(&self, tenant: &TenantId) -> Result<State, ApiError> {
        Ok(self.foundation.existing_tenant(tenant).await?.state.clone())
    }
}

countersign_service::rpcs! {
    AdminApi as wire::admin_service_server::AdminService {
        create_tenant(wire::CreateTenantRequest) -> wire::CreateTenantResponse
            = "CreateTenant" by handle_create_tenant;
        get_tenant(wire::GetTenantRequest) -> wire::GetTenantResponse
            = "GetTenant" by handle_get_tenant;
        list_tenants(wire::ListTenantsRequest) -> wire::ListTenantsResponse
            = "ListTenants" by handle_list_tenants;
        create_application(wire::CreateApplicationRequest) -> wire::CreateApplicationResponse
            = "CreateApplication" by handle_create_application;
        set_mfa_requirement(wire::SetMfaRequirementRequest) -> wire::SetMfaRequirementResponse
            = "SetMfaRequirement" by handle_set_requirement;
        set_factor_settings(wire::SetFactorSettingsRequest) -> wire::SetFactorSettingsResponse
            = "SetFactorSettings" by handle_set_factor_settings;
        create_api_key(wire::CreateApiKeyRequest) -> wire::CreateApiKeyResponse
            = "CreateApiKey" by handle_create_api_key;
        rotate_api_key(wire::RotateApiKeyRequest) -> wire::RotateApiKeyResponse
            = "RotateApiKey" by handle_rotate_api_key;
        revoke_api_key(wire::RevokeApiKeyRequest) -> wire::RevokeApiKeyResponse
            = "RevokeApiKey" by handle_revoke_api_key;
        list_api_keys(wire::ListApiKeysRequest) -> wire::ListApiKeysResponse
            = "ListApiKeys" by handle_list_api_keys;
        create_organisation(wire::CreateOrganisationRequest) -> wire::CreateOrganisationResponse
            = "CreateOrganisation" by handle_create_organisation;
        list_organisations(wire::ListOrganisationsRequest) -> wire::ListOrganisationsResponse
            = "ListOrganisations" by handle_list_organisations;
        set_retention(wire::SetRetentionRequest) -> wire::SetRetentionResponse
            = "SetRetention" by handle_set_retention;
        set_quorum(wire::SetQuorumRequest) -> wire::SetQuorumResponse
            = "SetQuorum" by handle_set_quorum;
        list_approvals(wire::ListApprovalsRequest) -> wire::ListApprovalsResponse
            = "ListApprovals" by handle_list_approvals;
        get_approval(wire::GetApprovalRequest) -> wire::GetApprovalResponse
            = "GetApproval" by handle_get_approval;
        approve_request(wire::ApproveRequestRequest) -> wire::ApproveRequestResponse
            = "ApproveRequest" by handle_approve;
        decline_request(wire::DeclineRequestRequest) -> wire::DeclineRequestResponse
            = "DeclineRequest" by handle_decline;
        withdraw_request(wire::WithdrawRequestRequest) -> wire::WithdrawRequestResponse
            = "WithdrawRequest" by handle_withdraw;
        break_glass(wire::BreakGlassRequest) -> wire::BreakGlassResponse
            = "BreakGlass" by handle_break_glass;
        mend_glass(wire::MendGlassRequest) -> wire::MendGlassResponse
            = "MendGlass" by handle_mend_glass;
        erase_tenant(wire::EraseTenantRequest) -> wire::EraseTenantResponse
            = "EraseTenant" by handle_erase_tenant;
    }
}
