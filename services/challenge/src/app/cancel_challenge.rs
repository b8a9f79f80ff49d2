//! Giving a pending challenge up.

use countersign_core::ChallengeId;
use countersign_domain::user_challenges::{CancelChallenge, Challenge, Command};
use countersign_eventsourcing::Request;
use countersign_service::{ApiError, Foundation, Reason, User};

use crate::api::status::rejected;

/// Gives a pending challenge up, and returns it as it then stands.
pub(crate) async fn cancel_challenge(
    foundation: &Foundation,
    user: &User,
    request: &Request,
    challenge_id: ChallengeId,
) -> Result<Challenge, ApiError> {
    foundation.existing_tenant(&user.tenant).await?;
    foundation.not_erased(user).await?;
    let command = CancelChallenge { challenge_id, now: foundation.now() };
    let executed = foundation
        .challenges
        .execute(&user.challenges(), request, Command::Cancel(command))
        .await
        .map_err(|error| ApiError::from_execute(error, |r| rejected(r, foundation.now())))?;
    let challenge = executed.folded.state.find(challenge_id).cloned();
    challenge.ok_or_else(|| ApiError::new(Reason::ChallengeNotFound))
}
