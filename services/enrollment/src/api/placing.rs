//! `PlaceUser` and `GetUser`.

use std::collections::BTreeMap;

use countersign_core::{FieldProblem, OrganisationId};
use countersign_domain::user_authenticators::{Command, PlaceUser, Placement};
use countersign_proto::enrollment as wire;
use countersign_service::{ApiError, Reason, Scope, caller::Touch, fields};
use prost::Message as _;

use super::EnrollmentApi;
use crate::app::{Deed, change_guarded, seal_user_id};

impl EnrollmentApi {
    pub(super) async fn handle_place_user(
        &self,
        scope: &Scope,
        message: wire::PlaceUserRequest,
    ) -> Result<wire::PlaceUserResponse, ApiError> {
        // Whoever looks after one organisation does not take users from others.
        scope.caller.check_unconfined()?;
        let user_id = fields::user_id(&message.user_id)?;
        let user = scope.user(&self.foundation, &user_id, Touch::Change).await?;
        let stream = user.authenticators();
        let request = scope.command(&self.foundation, &stream, &message.request_id, &message)?;
        let asked = message.placement.as_ref();
        let asked = asked.ok_or_else(|| ApiError::field("placement", FieldProblem::Missing))?;
        let organisation_id = fields::optional(
            "placement.organisation_id",
            &asked.organisation_id,
            OrganisationId::parse,
        )?;
        let settings = self.foundation.existing_tenant(&user.tenant).await?;
        let is_unknown = |id| settings.state.organisation(id).is_none();
        if organisation_id.as_ref().is_some_and(is_unknown) {
            return Err(ApiError::new(Reason::OrganisationNotFound));
        }
        let content = wire::PlaceUserRequest { request_id: String::new(), ..message.clone() };
        let privileged = ("privileged".to_owned(), asked.privileged.to_string());
        let deed = Deed {
            scope,
            tenant: user.tenant.clone(),
            request,
            stream,
            is_named: !message.request_id.is_empty(),
            content: content.encode_to_vec(),
            about: Some((user.clone(), user_id.clone())),
            details: BTreeMap::from([privileged]),
        };
        let command = Command::PlaceUser(PlaceUser {
            placement: Placement { organisation_id, privileged: asked.privileged },
            user_id: seal_user_id(&self.foundation, &user, &user_id).await?,
            now: self.foundation.now(),
        });
        let authenticators = change_guarded(&self.foundation, &user, &deed, command).await?;
        let placement = Some(shown(authenticators.state.placement()));
        Ok(wire::PlaceUserResponse { placement })
    }

    pub(super) async fn handle_get_user(
        &self,
        scope: &Scope,
        message: wire::GetUserRequest,
    ) -> Result<wire::GetUserResponse, ApiError> {
        let user = self.user(scope, &message.user_id, Touch::Read).await?;
        self.foundation.existing_tenant(&user.tenant).await?;
        let authenticators = self.foundation.authenticators.load(&user.authenticators()).await?;
        let placement = Some(shown(authenticators.state.placement()));
        Ok(wire::GetUserResponse { placement })
    }
}

fn shown(placement: &Placement) -> wire::Placement {
    let organisation_id = placement.organisation_id.as_ref();
    wire::Placement {
        organisation_id: organisation_id.map(ToString::to_string).unwrap_or_default(),
        privileged: placement.privileged,
    }
}
