//! `CreateChallenge`.

use countersign_core::{ApplicationId, AuthenticatorId, SignInId};
use countersign_proto::challenge as wire;
use countersign_service::{ApiError, Scope, caller::Touch, fields};

use super::{ChallengeApi, convert, source::network};
use crate::app::{CreateChallenge, create_challenge};

impl ChallengeApi {
    pub(super) async fn handle_create(
        &self,
        scope: &Scope,
        message: wire::CreateChallengeRequest,
    ) -> Result<wire::CreateChallengeResponse, ApiError> {
        let user = self.user(scope, &message.user_id, Touch::Change).await?;
        let stream = user.challenges();
        let request = scope.command(&self.foundation, &stream, &message.request_id, &message)?;
        let asked = CreateChallenge {
            application_id: fields::optional(
                "application_id",
                &message.application_id,
                ApplicationId::parse,
            )?,
            authenticator_id: fields::optional(
                "authenticator_id",
                &message.authenticator_id,
                AuthenticatorId::parse,
            )?,
            sign_in_id: fields::optional("sign_in_id", &message.sign_in_id, SignInId::parse)?,
            network: network(message.source.as_ref())?,
        };
        scope.begin(&user, asked.network.as_deref())?;
        let challenge = create_challenge(&self.foundation, &user, &request, asked).await?;
        let challenge = Some(convert::challenge(&challenge, self.foundation.now()));
        Ok(wire::CreateChallengeResponse { challenge })
    }
}
