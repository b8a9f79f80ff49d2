//! What is done with an authenticator once it is bound: rename, prefer, set aside, take back, remove.

use countersign_domain::user_authenticators::{Command, Guard, Rejection};
use countersign_eventsourcing::{ExecuteError, Request};
use countersign_service::{ApiError, Foundation, User};

use super::{Agreement, Authenticators, Deed, agreed};
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

/// Carries `command` out as [`change`] does, once others agreed to it if the tenant has them asked.
pub(crate) async fn change_guarded(
    foundation: &Foundation,
    user: &User,
    deed: &Deed<'_>,
    command: Command,
) -> Result<Authenticators, ApiError> {
    let settings = foundation.existing_tenant(&user.tenant).await?;
    let Some(quorum) = settings.state.quorum() else {
        return change(foundation, user, &deed.request, command).await;
    };
    let kinds = settings.state.changed_factor_settings();
    let disabled_kinds = kinds.filter(|(_, settings)| settings.disabled);
    let guard = Guard {
        acts: quorum.acts().clone(),
        disabled_kinds: disabled_kinds.map(|(kind, _)| kind.into()).collect(),
    };
    let guarded = Command::Guarded(guard, Box::new(command.clone()));
    let authenticators = &foundation.authenticators;
    let done = match authenticators.execute(&deed.stream, &deed.request, guarded.clone()).await {
        Err(ExecuteError::Rejected(Rejection::NeedsApproval(act))) => {
            let command = match Box::pin(agreed(foundation, deed, act)).await? {
                Agreement::Holds => command,
                Agreement::Spent => guarded,
            };
            authenticators.execute(&deed.stream, &deed.request, command).await
        }
        done => done,
    };
    let executed = done.map_err(|error| ApiError::from_execute(error, rejected))?;
    Ok(executed.folded)
}
