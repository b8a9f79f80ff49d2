//! Opening a throttled authenticator to attempts.

use countersign_core::AuthenticatorId;
use countersign_domain::user_challenges::{Command, ReleaseThrottle};
use countersign_eventsourcing::Request;
use countersign_service::{ApiError, Foundation, User};

use crate::api::status::rejected;

/// Opens an authenticator to attempts and clears its count of failures.
pub(crate) async fn release_throttle(
    foundation: &Foundation,
    user: &User,
    request: &Request,
    authenticator_id: AuthenticatorId,
) -> Result<(), ApiError> {
    foundation.existing_tenant(&user.tenant).await?;
    foundation.not_erased(user).await?;
    let command = Command::ReleaseThrottle(ReleaseThrottle { authenticator_id });
    let executed = foundation.challenges.execute(&user.challenges(), request, command).await;
    executed
        .map(drop)
        .map_err(|error| ApiError::from_execute(error, |r| rejected(r, foundation.now())))
}
