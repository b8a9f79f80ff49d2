//! `GetChallenge`.

use countersign_proto::challenge as wire;
use countersign_service::{ApiError, Reason, Scope, caller::Touch};

use super::{ChallengeApi, challenge_id, convert};

impl ChallengeApi {
    pub(super) async fn handle_get(
        &self,
        scope: &Scope,
        message: wire::GetChallengeRequest,
    ) -> Result<wire::GetChallengeResponse, ApiError> {
        let user = self.user(scope, &message.user_id, Touch::Read).await?;
        let id = challenge_id(&message.challenge_id)?;
        let challenges = self.foundation.challenges.load(&user.challenges()).await?;
        let challenge = challenges.state.find(id);
        let challenge = challenge.ok_or_else(|| ApiError::new(Reason::ChallengeNotFound))?;
        let challenge = Some(convert::challenge(challenge, self.foundation.now()));
        Ok(wire::GetChallengeResponse { challenge })
    }
}
