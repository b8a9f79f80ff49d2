//! AdminService on the wire: tenants, applications, requirements, factor settings and API keys.

mod api_keys;
mod applications;
mod bootstrap;
mod convert;
mod directory;
mod factor_settings;
mod status;
mod tenants;

use std::sync::Arc;

use countersign_core::TenantId;
use countersign_domain::tenant::{Command, State, Tenant};
use countersign_eventsourcing::{Executed, Request as CommandRequest};
use countersign_proto::admin as wire;
use countersign_service::{ApiError, Foundation, Scope, tenant_stream, to_status};
use tonic::{Request, Response, Status};

pub use bootstrap::{BootstrapError, bootstrap};
pub use directory::TenantDirectory;

/// AdminService over a foundation.
#[derive(Debug)]
pub struct AdminApi {
    foundation: Arc<Foundation>,
    directory: Arc<TenantDirectory>,
}

impl AdminApi {
    pub(crate) const fn new(foundation: Arc<Foundation>, directory: Arc<TenantDirectory>) -> Self {
        Self { foundation, directory }
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

/// Implements the generated trait by the method of the same name that each RPC's file adds.
macro_rules! rpcs {
    ($($rpc:ident($request:ident) -> $response:ident = $method:literal by $handler:ident;)+) => {
        #[tonic::async_trait]
        impl wire::admin_service_server::AdminService for AdminApi {
            $(async fn $rpc(
                &self,
                request: Request<wire::$request>,
            ) -> Result<Response<wire::$response>, Status> {
                let answer = async {
                    let scope = Scope::of(&request, $method, &self.foundation)?;
                    self.$handler(&scope, request.into_inner()).await
                };
                answer.await.map(Response::new).map_err(|error: ApiError| to_status(&error))
            })+
        }
    };
}

rpcs! {
    create_tenant(CreateTenantRequest) -> CreateTenantResponse = "CreateTenant" by handle_create_tenant;
    get_tenant(GetTenantRequest) -> GetTenantResponse = "GetTenant" by handle_get_tenant;
    list_tenants(ListTenantsRequest) -> ListTenantsResponse = "ListTenants" by handle_list_tenants;
    create_application(CreateApplicationRequest) -> CreateApplicationResponse = "CreateApplication" by handle_create_application;
    set_mfa_requirement(SetMfaRequirementRequest) -> SetMfaRequirementResponse = "SetMfaRequirement" by handle_set_requirement;
    set_factor_settings(SetFactorSettingsRequest) -> SetFactorSettingsResponse = "SetFactorSettings" by handle_set_factor_settings;
    create_api_key(CreateApiKeyRequest) -> CreateApiKeyResponse = "CreateApiKey" by handle_create_api_key;
    revoke_api_key(RevokeApiKeyRequest) -> RevokeApiKeyResponse = "RevokeApiKey" by handle_revoke_api_key;
    list_api_keys(ListApiKeysRequest) -> ListApiKeysResponse = "ListApiKeys" by handle_list_api_keys;
}
