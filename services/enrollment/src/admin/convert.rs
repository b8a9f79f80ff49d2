//! Translation between the wire's words and the domain's.

use std::{net::IpAddr, num::NonZeroU32, time::Duration};

use countersign_core::{ApplicationId, FieldProblem, KeyId, OrganisationId, TenantId, Timestamp};
use countersign_domain::{
    policy::MfaRequirement,
    tenant::{ApiKey, Application, FactorSettings, Organisation, Role, State, ThrottleOverrides},
    wire::timestamp_to_wire,
};
use countersign_proto::{admin as wire, common};
use countersign_service::{ApiError, fields};
use ipnet::IpNet;

use super::quorum::quorum_to_wire;
use crate::app::SHORTEST_ACCESS_PASS;

/// The longest that an API key may last: beyond it, an instant may have no form on the wire.
const LONGEST_LIFETIME: Duration = Duration::from_secs(36_500 * 24 * 3_600);

/// The longest that two secrets of a key go on working side by side.
const LONGEST_OVERLAP: Duration = Duration::from_secs(90 * 24 * 3_600);

/// How many addresses a key may be confined to.
const MAX_ADDRESSES: usize = 16;

/// The longest pause that a throttle may have.
const LONGEST_PAUSE: Duration = Duration::from_secs(24 * 3_600);

/// The longest that a tenant may let temporary access passes last.
const LONGEST_ACCESS_PASS: Duration = Duration::from_secs(30 * 24 * 3_600);

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
        inactive_user_days: settings.retention().inactive_user_days.map_or(0, NonZeroU32::get),
        quorum: settings.quorum().map(quorum_to_wire),
        broken_glass: settings.glass().map(broken_glass).collect(),
    }
}

fn broken_glass((application, until): (Option<&ApplicationId>, Timestamp)) -> wire::BrokenGlass {
    let application_id = application.map(ToString::to_string).unwrap_or_default();
    wire::BrokenGlass { application_id, until: Some(timestamp_to_wire(until)) }
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
pub(super) fn api_key(id: &KeyId, key: &ApiKey, now: Timestamp) -> wire::ApiKey {
    let previous = key.previous.as_ref();
    wire::ApiKey {
        key_id: id.to_string(),
        display_name: key.display_name.clone(),
        roles: key.roles.iter().map(|role| role_to_wire(*role).into()).collect(),
        created_at: Some(timestamp_to_wire(key.issued_at)),
        expires_at: key.expires_at.map(timestamp_to_wire),
        revoked: key.revoked,
        organisation_id: key.organisation_id.as_ref().map(ToString::to_string).unwrap_or_default(),
        allowed_addresses: key.allowed_addresses.clone(),
        last_used_at: key.last_used_at.map(timestamp_to_wire),
        rotated_at: previous.map(|previous| timestamp_to_wire(previous.rotated_at)),
        previous_secret_until: previous
            .filter(|previous| now < previous.until)
            .map(|previous| timestamp_to_wire(previous.until)),
    }
}

const fn role_to_wire(role: Role) -> wire::Role {
    match role {
        Role::PlatformAdmin => wire::Role::PlatformAdmin,
        Role::TenantAdmin => wire::Role::TenantAdmin,
        Role::Verifier => wire::Role::Verifier,
        Role::Auditor => wire::Role::Auditor,
        Role::OrgAdmin => wire::Role::OrgAdmin,
        Role::HelpDesk => wire::Role::HelpDesk,
        Role::SelfService => wire::Role::Self_,
    }
}

/// Reads a role that a key may hold.
pub(super) fn role(value: i32) -> Result<Role, ApiError> {
    let known = Role::ALL.iter().copied().filter(|role| *role != Role::SelfService);
    let role = known.into_iter().find(|role| i32::from(role_to_wire(*role)) == value);
    role.ok_or_else(|| {
        let problem = FieldProblem::Other(
            "must be ROLE_PLATFORM_ADMIN, ROLE_TENANT_ADMIN, ROLE_VERIFIER, ROLE_AUDITOR, ROLE_ORG_ADMIN or \
             ROLE_HELP_DESK",
        );
        ApiError::field("roles", problem)
    })
}

/// Shows an organisation.
pub(super) fn organisation(id: &OrganisationId, organisation: &Organisation) -> wire::Organisation {
    wire::Organisation {
        organisation_id: id.to_string(),
        display_name: organisation.display_name.clone(),
    }
}

/// Reads for how long the previous secret of a key goes on working.
pub(super) fn overlap(duration: prost_types::Duration) -> Result<Duration, ApiError> {
    let read = fields::positive_duration("overlap", duration)?;
    if read <= LONGEST_OVERLAP {
        Ok(read)
    } else {
        let problem = FieldProblem::Other("must be at most 90 days, or absent for none");
        Err(ApiError::field("overlap", problem))
    }
}

/// Reads addresses that a key may be used from.
pub(super) fn allowed_addresses(given: Vec<String>) -> Result<Vec<String>, ApiError> {
    let field = "allowed_addresses";
    if given.len() > MAX_ADDRESSES {
        return Err(ApiError::field(field, FieldProblem::Other("may be 16 at most")));
    }
    let is_address =
        |text: &String| text.parse::<IpNet>().is_ok() || text.parse::<IpAddr>().is_ok();
    if given.iter().all(is_address) {
        Ok(given)
    } else {
        let form = "must be addresses or networks such as 203.0.113.0/24 or 2001:db8::1";
        Err(ApiError::field(field, FieldProblem::Other(form)))
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
    let read = fields::positive_duration("lifetime", duration)?;
    if read <= LONGEST_LIFETIME {
        Ok(read)
    } else {
        let problem = FieldProblem::Other("must be at most 36500 days, or absent for ever");
        Err(ApiError::field("lifetime", problem))
    }
}

fn pause(
    field: &'static str,
    duration: Option<prost_types::Duration>,
) -> Result<Option<Duration>, ApiError> {
    let Some(duration) = duration else { return Ok(None) };
    let read = fields::positive_duration(field, duration)?;
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
        longest_access_pass: given.longest_access_pass.map(longest_access_pass).transpose()?,
    })
}

/// Reads how long a temporary access pass may last at the longest.
fn longest_access_pass(given: prost_types::Duration) -> Result<Duration, ApiError> {
    let field = "settings.longest_access_pass";
    let read = fields::positive_duration(field, given)?;
    if (SHORTEST_ACCESS_PASS..=LONGEST_ACCESS_PASS).contains(&read) {
        Ok(read)
    } else {
        let problem = FieldProblem::Other("must be 10 min to 30 days, or absent for 8 h");
        Err(ApiError::field(field, problem))
    }
}

fn factor_settings_to_wire(kind: &str, settings: &FactorSettings) -> wire::FactorSettings {
    // Bounded to days when it was set, so it always fits.
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
        longest_access_pass: settings.longest_access_pass.map(duration),
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
        let read = fields::positive_duration("lifetime", wire(1, 500_000_000)).unwrap();
        assert_eq!(read, Duration::from_millis(1_500));
        let odd = [(0, 0), (-1, 0), (0, -1), (1, -1), (0, 1_000_000_000), (i64::MIN, i32::MIN)];
        for (seconds, nanos) in odd {
            let refused = fields::positive_duration("lifetime", wire(seconds, nanos)).unwrap_err();
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
