//! What is done with an authenticator once it is bound: rename, prefer, set aside, take back, remove.

use countersign_domain::user_authenticators::Command;
use countersign_eventsourcing::Request;
use countersign_service::{ApiError, Foundation, User};

use super::Authenticators;
use crate::api::status::rejected;

/// Carries `command` out for a user of a tenant that must be there.
pub(crate) async fn change(
    foundation: &Foundation,
    user: &User,
    request: &Request,
    command: Command,
) -> Result<Authenticators, ApiError> {
    foundation.existing_tenant(&user.tenant).await?;
    let executed = foundation
        .authenticators
        .execute(&user.authenticators(), request, command)
        .await
        .map_err(|error| ApiError::from_execute(error, rejected))?;
    Ok(executed.folded)
}
