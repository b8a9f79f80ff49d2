//! `CreateTenant`, `GetTenant` and `ListTenants`.

use countersign_core::{FieldProblem, TenantId};
use countersign_domain::tenant::Command;
use countersign_proto::admin as wire;
use countersign_service::{ApiError, Scope, fields, paging::Page};

use super::{AdminApi, convert};

impl AdminApi {
    pub(super) async fn handle_create_tenant(
        &self,
        scope: &Scope,
        message: wire::CreateTenantRequest,
    ) -> Result<wire::CreateTenantResponse, ApiError> {
        let tenant = fields::field("tenant_id", TenantId::parse(&message.tenant_id))?;
        if tenant.is_platform() {
            let problem =
                FieldProblem::Other("may not be `platform`, which stands for the installation");
            return Err(ApiError::field("tenant_id", problem));
        }
        let request = self.request(scope, &tenant, &message.request_id, &message)?;
        let display_name = fields::display_name("display_name", &message.display_name)?;
        let command = Command::Create { display_name, now: self.foundation.now() };
        let executed = self.execute(&tenant, &request, command).await?;
        let tenant = Some(convert::tenant(&tenant, &executed.folded.state));
        Ok(wire::CreateTenantResponse { tenant })
    }

    pub(super) async fn handle_get_tenant(
        &self,
        scope: &Scope,
        _: wire::GetTenantRequest,
    ) -> Result<wire::GetTenantResponse, ApiError> {
        let tenant = scope.tenant()?;
        let settings = self.settings(tenant).await?;
        Ok(wire::GetTenantResponse { tenant: Some(convert::tenant(tenant, &settings)) })
    }

    pub(super) async fn handle_list_tenants(
        &self,
        _: &Scope,
        message: wire::ListTenantsRequest,
    ) -> Result<wire::ListTenantsResponse, ApiError> {
        let page = Page::of(message.page_size, &message.page_token)?;
        let (ids, next_page_token) = page.take(self.directory.tenants().await);
        let mut tenants = Vec::with_capacity(ids.len());
        for id in ids {
            let settings = self.foundation.tenant(&id).await?;
            // One that was erased a moment ago may still be among them.
            if settings.state.exists() {
                tenants.push(convert::tenant(&id, &settings.state));
            }
        }
        Ok(wire::ListTenantsResponse { tenants, next_page_token })
    }
}
