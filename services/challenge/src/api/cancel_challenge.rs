//! `CancelChallenge`.

use countersign_proto::challenge as wire;
use countersign_service::{ApiError, Scope, caller::Touch};

use super::{ChallengeApi, challenge_id, convert};
use crate::app::cancel_challenge;

impl ChallengeApi {
    pub(super) async fn handle_cancel(
        &self,
        scope: &Scope,
        message: wire::CancelChallengeRequest,
    ) -> Result<wire::CancelChallengeResponse, ApiError> {
        let user = self.user(scope, &message.user_id, Touch::Change).await?;
        let stream = user.challenges();
        let request = scope.command(&self.foundation, &stream, &message.request_id, &message)?;
        let id = challenge_id(&message.challenge_id)?;
        let challenge = cancel_challenge(&self.foundation, &user, &request, id).await?;
        let challenge = Some(convert::challenge(&challenge, self.foundation.now()));
        Ok(wire::CancelChallengeResponse { challenge })
    }
}
