//! Values of a tenant's settings.

use std::{num::NonZeroU32, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    throttle::ThrottlePolicy,
    user_authenticators::{RECOVERY_CODE_KIND, TEMPORARY_ACCESS_PASS_KIND},
};

/// How a kind of factor behaves; `None` means the default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FactorSettings {
    /// Whether users may neither enrol nor use it.
    pub disabled: bool,
    /// How failures slow guessing down.
    pub throttle: ThrottleOverrides,
    /// TOTP: steps to either side of now that are accepted.
    pub totp_skew_steps: Option<u32>,
    /// Recovery codes: how many a set has.
    pub recovery_code_count: Option<u32>,
    /// Recovery codes: at how many left the user is warned.
    pub recovery_code_low: Option<u32>,
    /// Temporary access passes: the longest that one may last.
    pub longest_access_pass: Option<Duration>,
}

/// How long users stay who do nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    /// After how many days without an event a user is erased; `None` keeps all users.
    pub inactive_user_days: Option<NonZeroU32>,
}

/// Changes to the default throttle; `None` leaves it as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThrottleOverrides {
    /// Failures in a row before the first pause.
    pub free_attempts: Option<u32>,
    /// The first pause.
    pub first_pause: Option<Duration>,
    /// The longest pause.
    pub longest_pause: Option<Duration>,
    /// Failures in a row after which only an administrator can release it.
    pub hard_limit: Option<u32>,
}

impl FactorSettings {
    /// Returns how failures of an authenticator of `kind` slow guessing down.
    #[must_use]
    pub fn throttle_policy(&self, kind: &str) -> ThrottlePolicy {
        let default = if [RECOVERY_CODE_KIND, TEMPORARY_ACCESS_PASS_KIND].contains(&kind) {
            ThrottlePolicy::RECOVERY_CODE
        } else {
            ThrottlePolicy::ONE_TIME_PASSWORD
        };
        let own = &self.throttle;
        ThrottlePolicy {
            free_attempts: own.free_attempts.unwrap_or(default.free_attempts),
            first_pause: own.first_pause.unwrap_or(default.first_pause),
            longest_pause: own.longest_pause.unwrap_or(default.longest_pause),
            hard_limit: own
                .hard_limit
                .unwrap_or(default.hard_limit)
                .min(ThrottlePolicy::NIST_LIMIT),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recovery_codes_and_one_time_passwords_have_separate_budgets() {
        let settings = FactorSettings::default();
        assert_eq!(settings.throttle_policy("totp"), ThrottlePolicy::ONE_TIME_PASSWORD);
        assert_eq!(settings.throttle_policy(RECOVERY_CODE_KIND), ThrottlePolicy::RECOVERY_CODE);
        let of_a_pass = settings.throttle_policy(TEMPORARY_ACCESS_PASS_KIND);
        assert_eq!(of_a_pass, ThrottlePolicy::RECOVERY_CODE);
    }

    #[test]
    fn a_tenant_can_tighten_the_hard_limit_but_not_pass_what_nist_allows() {
        let with = |limit| FactorSettings {
            throttle: ThrottleOverrides { hard_limit: Some(limit), ..Default::default() },
            ..Default::default()
        };
        assert_eq!(with(20).throttle_policy("totp").hard_limit, 20);
        assert_eq!(with(1_000).throttle_policy("totp").hard_limit, 100);
    }
}
