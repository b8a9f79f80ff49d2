//! Names of sealed fields, which bind a ciphertext to its use, and what several services read of a tenant's settings.

use countersign_domain::tenant;
use countersign_factors::FactorSettings;

/// What a factor keeps: sealed under the secrets key of the user, everything else under the data key.
pub const RECORD: &str = "authenticator.record";
/// The platform's own id of the user.
pub const USER_ID: &str = "user.id";
/// The context that the platform gave of a sign-in.
pub const SIGN_IN_CONTEXT: &str = "sign_in.context";
/// Where an answer came from.
pub const SOURCE: &str = "challenge.source";
/// The recipient of a delivery.
pub const RECIPIENT: &str = "delivery.recipient";

/// Returns how `kind` behaves in `tenant`, in the factors' own words.
#[must_use]
pub fn factor_settings(tenant: &tenant::State, kind: &str) -> FactorSettings {
    let own = tenant.factor_settings(kind);
    let default = FactorSettings::default();
    FactorSettings {
        totp_skew_steps: own.totp_skew_steps.unwrap_or(default.totp_skew_steps),
        recovery_code_count: own.recovery_code_count.unwrap_or(default.recovery_code_count),
    }
}
