//! Translation between the wire's words and the domain's.

use std::time::Duration;

use countersign_core::{ApplicationId, FieldProblem, KeyId, TenantId};
use countersign_domain::{
    policy::MfaRequirement,
    tenant::{ApiKey, Application, FactorSettings, Role, State, ThrottleOverrides},
    wire::timestamp_to_wire,
};
use countersign_proto::{admin as wire, common};
use countersign_service::ApiError;

/// The longest that an API key may last: beyond it, an instant may have no form on the wire.
const LONGEST_LIFETIME: Duration = Duration::from_secs(36_500 * 24 * 3_600);

/// The longest pause that a throttle may have.
const LONGEST_PAUSE: Duration = Duration::from_secs(24 * 3_600);

/// Shows a tenant with its settings.
pub(super) fn tenant(id: &TenantId, settings: &State) -> wire::Tenant {
    let factor_settings = settings.changed_factor_settings();
    wire::Tenant {
        tenant_id: id.to_string(),
        display_name: settings.display_name().to_owned(),
        mfa_requirement: requirement_to_wire(settings.requirement()).into(),
        applications: settings.applications().iter().map(|(id, a)| application(id, a)).collect(),
        factor_settings: factor_settings
            .map(|(kind, s)| factor_settings_to_wire(kind, s))
            .collect(),
        created_at: settings.created_at().map(timestamp_to_wire),
    }
}

/// Shows an application.
pub(super) fn application(id: &ApplicationId, application: &Application) -> wire::Application {
    let requirement =
        application.requirement.map_or(common::MfaRequirement::Unspecified, requirement_to_wire);
    wire::Application {
        application_id: id.to_string(),
        display_name: application.display_name.clone(),
        mfa_requirement: requirement.into(),
    }
}

/// Shows an API key without its secret.
pub(super) fn api_key(id: &KeyId, key: &ApiKey) -> wire::ApiKey {
    let role = |role: &Role| match role {
        Role::PlatformAdmin => wire::Role::PlatformAdmin,
        Role::TenantAdmin => wire::Role::TenantAdmin,
        Role::Verifier => wire::Role::Verifier,
        Role::Auditor => wire::Role::Auditor,
    };
    wire::ApiKey {
        key_id: id.to_string(),
        display_name: key.display_name.clone(),
        roles: key.roles.iter().map(|r| role(r).into()).collect(),
        created_at: Some(timestamp_to_wire(key.issued_at)),
        expires_at: key.expires_at.map(timestamp_to_wire),
        revoked: key.revoked,
    }
}

/// Reads a role.
pub(super) fn role(value: i32) -> Result<Role, ApiError> {
    match wire::Role::try_from(value) {
        Ok(wire::Role::PlatformAdmin) => Ok(Role::PlatformAdmin),
        Ok(wire::Role::TenantAdmin) => Ok(Role::TenantAdmin),
        Ok(wire::Role::Verifier) => Ok(Role::Verifier),
        Ok(wire::Role::Auditor) => Ok(Role::Auditor),
        Ok(wire::Role::Unspecified) | Err(_) => {
            let problem = FieldProblem::Other(
                "must be ROLE_PLATFORM_ADMIN, ROLE_TENANT_ADMIN, ROLE_VERIFIER or ROLE_AUDITOR",
            );
            Err(ApiError::field("roles", problem))
        }
    }
}

const fn requirement_to_wire(requirement: MfaRequirement) -> common::MfaRequirement {
    match requirement {
        MfaRequirement::Never => common::MfaRequirement::Never,
        MfaRequirement::Always => common::MfaRequirement::Always,
        MfaRequirement::PerApplication => common::MfaRequirement::PerApplication,
    }
}

/// Reads a requirement; unspecified is none.
pub(super) fn requirement(value: i32) -> Result<Option<MfaRequirement>, ApiError> {
    match common::MfaRequirement::try_from(value) {
        Ok(common::MfaRequirement::Unspecified) => Ok(None),
        Ok(common::MfaRequirement::Never) => Ok(Some(MfaRequirement::Never)),
        Ok(common::MfaRequirement::Always) => Ok(Some(MfaRequirement::Always)),
        Ok(common::MfaRequirement::PerApplication) => Ok(Some(MfaRequirement::PerApplication)),
        Err(_) => {
            let problem = FieldProblem::Other(
                "must be MFA_REQUIREMENT_NEVER, MFA_REQUIREMENT_ALWAYS or MFA_REQUIREMENT_PER_APPLICATION",
            );
            Err(ApiError::field("mfa_requirement", problem))
        }
    }
}

/// Reads how long an API key lasts.
pub(super) fn lifetime(duration: prost_types::Duration) -> Result<Duration, ApiError> {
    let read = positive("lifetime", duration)?;
    if read <= LONGEST_LIFETIME {
        Ok(read)
    } else {
        let problem = FieldProblem::Other("must be at most 36500 days, or absent for ever");
        Err(ApiError::field("lifetime", problem))
    }
}

/// Reads a length of time that must be positive.
fn positive(field: &'static str, duration: prost_types::Duration) -> Result<Duration, ApiError> {
    // By hand: the conversion that comes with the type panics on the least length of time.
    let seconds = u64::try_from(duration.seconds).ok();
    let nanos = u32::try_from(duration.nanos).ok().filter(|nanos| *nanos < 1_000_000_000);
    let read = seconds.zip(nanos).map(|(seconds, nanos)| Duration::new(seconds, nanos));
    let read = read.filter(|duration| !duration.is_zero());
    read.ok_or_else(|| ApiError::field(field, FieldProblem::Other("must be a positive duration")))
}

fn pause(
    field: &'static str,
    duration: Option<prost_types::Duration>,
) -> Result<Option<Duration>, ApiError> {
    let Some(duration) = duration else { return Ok(None) };
    let read = positive(field, duration)?;
    if (Duration::from_secs(1)..=LONGEST_PAUSE).contains(&read) {
        Ok(Some(read))
    } else {
        Err(ApiError::field(field, FieldProblem::Other("must be 1 s to 24 h, or absent")))
    }
}

fn bounded(
    field: &'static str,
    value: u32,
    range: std::ops::RangeInclusive<u32>,
    problem: &'static str,
) -> Result<Option<u32>, ApiError> {
    if value == 0 {
        Ok(None)
    } else if range.contains(&value) {
        Ok(Some(value))
    } else {
        Err(ApiError::field(field, FieldProblem::Other(problem)))
    }
}

/// Reads how a kind of factor behaves.
pub(super) fn factor_settings(given: &wire::FactorSettings) -> Result<FactorSettings, ApiError> {
    const ATTEMPTS: &str = "must be 1 to 100, or 0 for the default";
    let throttle = given.throttle.unwrap_or_default();
    let totp_skew_steps = match given.totp_skew_steps {
        Some(steps) if steps > 10 => {
            let problem = FieldProblem::Other("must be 0 to 10, or absent for 1");
            return Err(ApiError::field("settings.totp_skew_steps", problem));
        }
        steps => steps,
    };
    Ok(FactorSettings {
        disabled: given.disabled,
        throttle: ThrottleOverrides {
            free_attempts: bounded(
                "settings.throttle.free_attempts",
                throttle.free_attempts,
                1..=100,
                ATTEMPTS,
            )?,
            first_pause: pause("settings.throttle.first_pause", throttle.first_pause)?,
            longest_pause: pause("settings.throttle.longest_pause", throttle.longest_pause)?,
            hard_limit: bounded(
                "settings.throttle.hard_limit",
                throttle.hard_limit,
                1..=100,
                ATTEMPTS,
            )?,
        },
        totp_skew_steps,
        recovery_code_count: bounded(
            "settings.recovery_code_count",
            given.recovery_code_count,
            4..=20,
            "must be 4 to 20, or 0 for 10",
        )?,
        recovery_code_low: bounded(
            "settings.recovery_code_low",
            given.recovery_code_low,
            1..=20,
            "must be 1 to 20, or 0 for 3",
        )?,
    })
}

fn factor_settings_to_wire(kind: &str, settings: &FactorSettings) -> wire::FactorSettings {
    // Bounded to a day when it was set, so it always fits.
    let duration = |pause: Duration| prost_types::Duration::try_from(pause).unwrap_or_default();
    wire::FactorSettings {
        kind: kind.to_owned(),
        disabled: settings.disabled,
        throttle: Some(wire::ThrottleSettings {
            free_attempts: settings.throttle.free_attempts.unwrap_or(0),
            first_pause: settings.throttle.first_pause.map(duration),
            longest_pause: settings.throttle.longest_pause.map(duration),
            hard_limit: settings.throttle.hard_limit.unwrap_or(0),
        }),
        totp_skew_steps: settings.totp_skew_steps,
        recovery_code_count: settings.recovery_code_count.unwrap_or(0),
        recovery_code_low: settings.recovery_code_low.unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn wire(seconds: i64, nanos: i32) -> prost_types::Duration {
        prost_types::Duration { seconds, nanos }
    }

    #[test]
    fn a_length_of_time_is_positive_and_well_formed() {
        let read = positive("lifetime", wire(1, 500_000_000)).unwrap();
        assert_eq!(read, Duration::from_millis(1_500));
        let odd = [(0, 0), (-1, 0), (0, -1), (1, -1), (0, 1_000_000_000), (i64::MIN, i32::MIN)];
        for (seconds, nanos) in odd {
            let refused = positive("lifetime", wire(seconds, nanos)).unwrap_err();
            assert_eq!(refused.field.unwrap().field, "lifetime", "{seconds} s {nanos} ns");
        }
    }

    #[test]
    fn an_api_key_ends_while_instants_still_have_a_form_on_the_wire() {
        let century = 36_500 * 24 * 3_600;
        assert!(lifetime(wire(century, 0)).is_ok());
        assert!(lifetime(wire(century, 1)).is_err());
        assert!(lifetime(wire(i64::MAX, 999_999_999)).is_err());
    }
}
