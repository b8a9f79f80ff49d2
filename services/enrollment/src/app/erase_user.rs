//! Erasing a user for good: first the event, then the key.

use countersign_core::Timestamp;
use countersign_domain::user_authenticators::{Command, EraseUser};
use countersign_eventsourcing::Request;
use countersign_keys::VaultError;
use countersign_service::{ApiError, Foundation, Reason, User};

use crate::api::status::rejected;

/// Erases a user of a tenant that must be there, and returns when they were erased. Whoever is erased already stays so.
///
/// The event is first, so that whatever comes between it and the destruction of the key is made good by the reactor
/// [`Erasures`](crate::Erasures), which follows the event.
pub(crate) async fn erase_user(
    foundation: &Foundation,
    user: &User,
    request: &Request,
    reason: String,
) -> Result<Timestamp, ApiError> {
    foundation.existing_tenant(&user.tenant).await?;
    end_user(foundation, user, request, reason).await
}

/// Erases a user, also of a tenant that is no more.
pub(crate) async fn end_user(
    foundation: &Foundation,
    user: &User,
    request: &Request,
    reason: String,
) -> Result<Timestamp, ApiError> {
    let command = Command::EraseUser(EraseUser { reason, now: foundation.now() });
    let executed = foundation
        .authenticators
        .execute(&user.authenticators(), request, command)
        .await
        .map_err(|error| ApiError::from_execute(error, rejected))?;
    foundation.vault.erase(&user.tenant, user.key).await.map_err(not_yet)?;
    executed.folded.state.erased_at().ok_or_else(|| ApiError::new(Reason::Internal))
}

/// Says that the log holds the erasure, where the key could not be destroyed at once.
fn not_yet(error: VaultError) -> ApiError {
    let error = ApiError::from(error);
    let message = "the user counts as erased, but the data key is not destroyed yet: it will be as soon as the store of \
                   data keys lets it; repeat to be told";
    ApiError { message: message.to_owned(), ..error }
}
