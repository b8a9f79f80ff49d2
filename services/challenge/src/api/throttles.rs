//! `ListThrottles` and `ReleaseThrottle`.

use countersign_core::AuthenticatorId;
use countersign_proto::challenge as wire;
use countersign_service::{ApiError, Scope, caller::Touch, fields, present};

use super::ChallengeApi;
use crate::app::release_throttle;

impl ChallengeApi {
    pub(super) async fn handle_list_throttles(
        &self,
        scope: &Scope,
        message: wire::ListThrottlesRequest,
    ) -> Result<wire::ListThrottlesResponse, ApiError> {
        let user = self.user(scope, &message.user_id, Touch::Read).await?;
        let challenges = self.foundation.challenges.load(&user.challenges()).await?;
        let throttles = present::throttles(&challenges.state, self.foundation.now());
        Ok(wire::ListThrottlesResponse { throttles })
    }

    pub(super) async fn handle_release_throttle(
        &self,
        scope: &Scope,
        message: wire::ReleaseThrottleRequest,
    ) -> Result<wire::ReleaseThrottleResponse, ApiError> {
        let user = self.user(scope, &message.user_id, Touch::Change).await?;
        let stream = user.challenges();
        let request = scope.command(&self.foundation, &stream, &message.request_id, &message)?;
        let id = AuthenticatorId::parse(&message.authenticator_id);
        let id = fields::field("authenticator_id", id)?;
        release_throttle(&self.foundation, &user, &request, id).await?;
        Ok(wire::ReleaseThrottleResponse {})
    }
}
