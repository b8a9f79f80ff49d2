//! `CreateSelfServiceToken`.

use std::time::Duration;

use countersign_core::{FieldProblem, TokenId};
use countersign_domain::user_authenticators::{Command, Event, IssueSelfServiceToken};
use countersign_domain::wire::timestamp_to_wire;
use countersign_proto::enrollment as wire;
use countersign_service::{
    ApiError, Reason, Scope,
    access::{LONGEST_LIFETIME, SelfServiceToken},
    caller::Touch,
    fields,
};

use super::{EnrollmentApi, status::rejected};

const LIFETIME: Duration = Duration::from_secs(5 * 60);
const SHORTEST_LIFETIME: Duration = Duration::from_secs(60);

impl EnrollmentApi {
    pub(super) async fn handle_self_service_token(
        &self,
        scope: &Scope,
        message: wire::CreateSelfServiceTokenRequest,
    ) -> Result<wire::CreateSelfServiceTokenResponse, ApiError> {
        let user_id = fields::user_id(&message.user_id)?;
        let user = scope.user(&self.foundation, &user_id, Touch::Change).await?;
        let stream = user.authenticators();
        let request = scope.command(&self.foundation, &stream, &message.request_id, &message)?;
        let lifetime = message.lifetime.map_or(Ok(LIFETIME), lifetime)?;
        self.foundation.existing_tenant(&user.tenant).await?;
        let now = self.foundation.now();
        let command = Command::IssueSelfServiceToken(IssueSelfServiceToken {
            token_id: TokenId::new(self.foundation.new_id()),
            now,
            expires_at: now.plus(lifetime),
        });
        let executed = self.foundation.authenticators.execute(&stream, &request, command).await;
        let executed = executed.map_err(|error| ApiError::from_execute(error, rejected))?;
        // Taken from the event: a repeat lengthens nothing.
        let issued = executed.events.into_iter().find_map(|event| {
            if let Event::SelfServiceTokenIssued(issued) = event { Some(issued) } else { None }
        });
        let issued = issued.ok_or_else(|| ApiError::new(Reason::Internal))?;
        let token = SelfServiceToken {
            tenant: user.tenant,
            token_id: issued.token_id,
            user_id,
            expires_at: issued.expires_at,
        };
        Ok(wire::CreateSelfServiceTokenResponse {
            token: token.reveal(&self.foundation.vault).expose().to_owned(),
            token_id: issued.token_id.to_string(),
            expires_at: Some(timestamp_to_wire(issued.expires_at)),
        })
    }
}

fn lifetime(asked: prost_types::Duration) -> Result<Duration, ApiError> {
    let asked = fields::positive_duration("lifetime", asked)?;
    if (SHORTEST_LIFETIME..=LONGEST_LIFETIME).contains(&asked) {
        Ok(asked)
    } else {
        let problem = FieldProblem::Other("must be 1 to 15 minutes, or absent for 5 minutes");
        Err(ApiError::field("lifetime", problem))
    }
}
