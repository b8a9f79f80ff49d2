//! Use cases, one a file.

mod activity;
mod approvals;
mod confirm_enrollment;
mod draw;
mod erase_inactive;
mod erase_tenant;
mod erase_user;
mod history;
mod issue_recovery_codes;
mod issue_temporary_access_pass;
mod life;
mod rotate_secrets;
mod seal_secret;
mod start_enrollment;

use std::sync::Arc;

use countersign_domain::user_authenticators::{Authenticator, State};
use countersign_eventsourcing::Folded;
use countersign_service::{ApiError, Foundation, Reason, User};

pub(crate) use activity::Activity;
pub(crate) use approvals::{Agreement, Deed, agreed, rejected as rejected_approval, spent};
pub(crate) use confirm_enrollment::{Confirmed, confirm_enrollment};
pub(crate) use erase_inactive::erase_inactive;
pub(crate) use erase_tenant::TENANT_ERASED;
pub use erase_tenant::{TenantErasure, erase_tenant};
pub(crate) use erase_user::erase_user;
pub(crate) use issue_recovery_codes::issue_recovery_codes;
pub(crate) use issue_temporary_access_pass::{
    IssueTemporaryAccessPass, SHORTEST as SHORTEST_ACCESS_PASS, issue_temporary_access_pass,
};
pub(crate) use life::{change, change_guarded};
pub(crate) use rotate_secrets::RotateSecrets;
pub(crate) use seal_secret::execute_sealing;
pub(crate) use start_enrollment::{StartEnrollment, start_enrollment};

/// A user's authenticators after a use case.
pub(crate) type Authenticators = Arc<Folded<State>>;

/// Seals the platform's own id of the user, so that the log alone tells whom it is about while the key exists.
pub(crate) async fn seal_user_id(
    foundation: &Foundation,
    user: &User,
    user_id: &countersign_core::UserId,
) -> Result<countersign_crypto::Sealed, ApiError> {
    let field = countersign_service::seals::USER_ID;
    let user_id = user_id.expose().as_bytes();
    Ok(foundation.vault.seal(&user.tenant, user.key, field, user_id).await?)
}

/// Finds an authenticator that must be there.
pub(crate) fn find(
    authenticators: &Authenticators,
    id: countersign_core::AuthenticatorId,
) -> Result<&Authenticator, ApiError> {
    authenticators.state.find(id).ok_or_else(|| ApiError::new(Reason::AuthenticatorNotFound))
}
