//! How an authenticator is shown on the wire, by whichever service shows it.

use countersign_core::{FactorClass, Timestamp};
use countersign_domain::{
    user_authenticators::{Authenticator, RECOVERY_CODE_KIND, State, Status},
    user_challenges,
    wire::timestamp_to_wire,
};
use countersign_factors::factor;
use countersign_keys::VaultError;
use countersign_proto::common as wire;

use crate::{ApiError, Foundation, User};

/// What stands in the place of personal data that was erased.
pub const ERASED: &str = "[erased]";

/// The field that seals an authenticator's name.
pub const DISPLAY_NAME_FIELD: &str = "authenticator.display_name";

/// Shows one authenticator of `user`.
///
/// # Errors
/// Says that its name cannot be unsealed, other than for having been erased.
pub async fn authenticator(
    foundation: &Foundation,
    user: &User,
    state: &State,
    challenges: &user_challenges::State,
    authenticator: &Authenticator,
) -> Result<wire::Authenticator, ApiError> {
    let (status, confirmed_at) = match authenticator.status {
        Status::Pending { .. } => (wire::AuthenticatorStatus::Pending, None),
        Status::Active { confirmed_at, .. } => {
            (wire::AuthenticatorStatus::Active, Some(confirmed_at))
        }
        Status::Suspended { confirmed_at, .. } => {
            (wire::AuthenticatorStatus::Suspended, Some(confirmed_at))
        }
        Status::Removed { confirmed_at } => (wire::AuthenticatorStatus::Removed, confirmed_at),
    };
    let class = factor(&authenticator.kind).map(|factor| factor.traits().class);
    let is_code_set = &*authenticator.kind == RECOVERY_CODE_KIND && !authenticator.is_removed();
    Ok(wire::Authenticator {
        authenticator_id: authenticator.id.to_string(),
        kind: authenticator.kind.to_string(),
        display_name: display_name(foundation, user, authenticator).await?,
        status: status.into(),
        is_default: state.default_id() == Some(authenticator.id),
        created_at: Some(timestamp_to_wire(authenticator.started_at)),
        confirmed_at: confirmed_at.map(timestamp_to_wire),
        parameters: authenticator
            .parameters
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_string()))
            .collect(),
        codes_remaining: is_code_set.then(|| {
            let used = challenges
                .ledger(authenticator.id)
                .map_or(0, |ledger| ledger.codes_used(authenticator.generation));
            authenticator.code_count.saturating_sub(used)
        }),
        factor_class: factor_class(class).into(),
    })
}

/// Shows the authenticators of `user` that take no attempts at `now`.
#[must_use]
pub fn throttles(challenges: &user_challenges::State, now: Timestamp) -> Vec<wire::Throttle> {
    let shown = challenges.throttled(now).map(|(id, ledger, closure)| wire::Throttle {
        authenticator_id: id.to_string(),
        consecutive_failures: ledger.consecutive_failures,
        until: closure.until.map(timestamp_to_wire),
    });
    shown.collect()
}

async fn display_name(
    foundation: &Foundation,
    user: &User,
    authenticator: &Authenticator,
) -> Result<String, ApiError> {
    let Some(sealed) = &authenticator.display_name else {
        return Ok("Recovery codes".to_owned());
    };
    let vault = &foundation.vault;
    match vault.unseal(&user.tenant, user.key, DISPLAY_NAME_FIELD, sealed).await {
        Ok(name) => Ok(String::from_utf8_lossy(name.expose()).into_owned()),
        Err(VaultError::Erased) => Ok(ERASED.to_owned()),
        Err(error) => Err(error.into()),
    }
}

const fn factor_class(class: Option<FactorClass>) -> wire::FactorClass {
    match class {
        None => wire::FactorClass::Unspecified,
        Some(FactorClass::Knowledge) => wire::FactorClass::Knowledge,
        Some(FactorClass::Possession) => wire::FactorClass::Possession,
        Some(FactorClass::Inherence) => wire::FactorClass::Inherence,
    }
}
