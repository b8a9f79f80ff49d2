//! `CreateOrganisation` and `ListOrganisations`.

use countersign_core::OrganisationId;
use countersign_domain::tenant::Command;
use countersign_proto::admin as wire;
use countersign_service::{ApiError, Reason, Scope, fields, paging::Page};

use super::{AdminApi, convert};

impl AdminApi {
    pub(super) async fn handle_create_organisation(
        &self,
        scope: &Scope,
        message: wire::CreateOrganisationRequest,
    ) -> Result<wire::CreateOrganisationResponse, ApiError> {
        let tenant = scope.tenant()?;
        let request = self.request(scope, tenant, &message.request_id, &message)?;
        let id = OrganisationId::parse(&message.organisation_id);
        let organisation_id = fields::field("organisation_id", id)?;
        let command = Command::CreateOrganisation {
            organisation_id: organisation_id.clone(),
            display_name: fields::display_name("display_name", &message.display_name)?,
        };
        let executed = self.execute(tenant, &request, command).await?;
        let organisation = executed.folded.state.organisation(&organisation_id);
        let organisation = organisation.ok_or_else(|| ApiError::new(Reason::Internal))?;
        let organisation = Some(convert::organisation(&organisation_id, organisation));
        Ok(wire::CreateOrganisationResponse { organisation })
    }

    pub(super) async fn handle_list_organisations(
        &self,
        scope: &Scope,
        message: wire::ListOrganisationsRequest,
    ) -> Result<wire::ListOrganisationsResponse, ApiError> {
        let page = Page::of(message.page_size, &message.page_token)?;
        let settings = self.foundation.existing_tenant(scope.tenant()?).await?;
        let (listed, next_page_token) = page.take(settings.state.organisations());
        let organisations = listed.into_iter().map(|(id, o)| convert::organisation(id, o));
        Ok(wire::ListOrganisationsResponse {
            organisations: organisations.collect(),
            next_page_token,
        })
    }
}
