//! How an authenticator is shown on the wire, by whichever service shows it.

use std::collections::BTreeMap;

use countersign_core::{FactorClass, Timestamp};
use countersign_domain::{
    usable::has_ended,
    user_authenticators::{
        Authenticator, RECOVERY_CODE_KIND, State, Status, TEMPORARY_ACCESS_PASS_KIND,
    },
    user_challenges::{self, ThrottleScope},
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

/// Shows one authenticator of `user` as it stands at `at`.
///
/// # Errors
/// Says that its name cannot be unsealed, other than for having been erased.
pub async fn authenticator(
    foundation: &Foundation,
    user: &User,
    state: &State,
    challenges: &user_challenges::State,
    authenticator: &Authenticator,
    at: Timestamp,
) -> Result<wire::Authenticator, ApiError> {
    let (status, confirmed_at) = match authenticator.status {
        Status::Pending { .. } => (wire::AuthenticatorStatus::Pending, None),
        Status::Active { confirmed_at, .. } if has_ended(authenticator, challenges, at) => {
            (wire::AuthenticatorStatus::Ended, Some(confirmed_at))
        }
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
        display_name: display_name(foundation, user, state, authenticator).await?,
        status: status.into(),
        is_default: state.default_id() == Some(authenticator.id),
        created_at: Some(timestamp_to_wire(authenticator.started_at)),
        confirmed_at: confirmed_at.map(timestamp_to_wire),
        parameters: parameters(authenticator),
        codes_remaining: is_code_set.then(|| {
            let used = challenges
                .ledger(authenticator.id)
                .map_or(0, |ledger| ledger.codes_used(authenticator.generation));
            authenticator.code_count.saturating_sub(used)
        }),
        factor_class: factor_class(class).into(),
    })
}

/// Shows what may be told about the set-up.
fn parameters(authenticator: &Authenticator) -> BTreeMap<String, String> {
    let told = authenticator.parameters.iter();
    let told = told.map(|(name, value)| (name.to_string(), value.to_string()));
    let of_a_pass = authenticator.pass.as_deref().map(|pass| {
        [
            ("starts_at".to_owned(), pass.starts_at.to_string()),
            ("ends_at".to_owned(), pass.ends_at.to_string()),
            ("single_use".to_owned(), pass.single_use.to_string()),
        ]
    });
    told.chain(of_a_pass.into_iter().flatten()).collect()
}

/// Shows the authenticators that take no attempts at `now`, be it only from some sources.
#[must_use]
pub fn throttles(challenges: &user_challenges::State, now: Timestamp) -> Vec<wire::Throttle> {
    let shown = challenges.throttled(now).map(|(id, throttle)| wire::Throttle {
        authenticator_id: id.to_string(),
        consecutive_failures: throttle.consecutive_failures,
        until: throttle.until.map(timestamp_to_wire),
        scope: throttle_scope(throttle.scope).into(),
    });
    shown.collect()
}

const fn throttle_scope(scope: ThrottleScope) -> wire::ThrottleScope {
    match scope {
        ThrottleScope::FailedSources => wire::ThrottleScope::FailedSources,
        ThrottleScope::NewSources => wire::ThrottleScope::NewSources,
        ThrottleScope::Everyone => wire::ThrottleScope::Everyone,
    }
}

async fn display_name(
    foundation: &Foundation,
    user: &User,
    state: &State,
    authenticator: &Authenticator,
) -> Result<String, ApiError> {
    let Some(sealed) = &authenticator.display_name else {
        let is_pass = &*authenticator.kind == TEMPORARY_ACCESS_PASS_KIND;
        let name = if is_pass { "Temporary access pass" } else { "Recovery codes" };
        return Ok(name.to_owned());
    };
    // From the event on, even if the key is not destroyed yet.
    if state.is_erased() {
        return Ok(ERASED.to_owned());
    }
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
