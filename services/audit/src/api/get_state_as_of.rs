//! `GetStateAsOf`.

use countersign_domain::wire::timestamp_to_wire;
use countersign_proto::{audit as wire, common};
use countersign_service::{ApiError, Scope, caller::Touch, fields, present};

use super::{AuditApi, convert};
use crate::app::{StateAsOf, state_as_of};

impl AuditApi {
    pub(super) async fn handle_state_as_of(
        &self,
        scope: &Scope,
        message: wire::GetStateAsOfRequest,
    ) -> Result<wire::GetStateAsOfResponse, ApiError> {
        let user =
            scope.user(&self.foundation, &fields::user_id(&message.user_id)?, Touch::Read).await?;
        let as_of = fields::instant("as_of", message.as_of.as_ref())?;
        let state = state_as_of(&self.foundation, &user, as_of).await?;
        let StateAsOf { as_of, authenticators, challenges, requirement, events_folded } = &state;
        let foundation = &self.foundation;
        let mut shown = Vec::with_capacity(authenticators.authenticators().len());
        for one in authenticators.authenticators() {
            let (state, at) = (authenticators, *as_of);
            shown
                .push(present::authenticator(foundation, &user, state, challenges, one, at).await?);
        }
        let requirement =
            requirement.map_or(common::MfaRequirement::Unspecified, convert::requirement_to_wire);
        Ok(wire::GetStateAsOfResponse {
            as_of: Some(timestamp_to_wire(*as_of)),
            authenticators: shown,
            open_challenges: challenges.pending(*as_of).map(convert::open_challenge).collect(),
            throttles: present::throttles(challenges, *as_of),
            mfa_requirement: requirement.into(),
            events_folded: *events_folded,
        })
    }
}
