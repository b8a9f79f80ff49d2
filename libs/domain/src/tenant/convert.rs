//! Translation of events between domain words and the stored schema.

use std::{num::NonZeroU32, time::Duration};

use countersign_core::ApplicationId;
use countersign_proto::event as wire;

use super::{
    ApiKeyIssued, ApiKeyRevoked, ApiKeyRotated, ApiKeyUsed, ApplicationCreated, Event,
    FactorSettings, FactorSettingsChanged, MfaRequirementSet, OrganisationCreated, Retention,
    RetentionSet, Tenant, TenantCreated, ThrottleOverrides,
};
use crate::{
    policy::MfaRequirement,
    wire::{BadPayload, event_codec, required_timestamp, timestamp_to_wire},
};

event_codec!(Tenant, state version 4, {
    TenantCreated v 1,
    ApplicationCreated v 1,
    MfaRequirementSet v 1,
    FactorSettingsChanged v 1,
    ApiKeyIssued v 1,
    ApiKeyRotated v 1,
    ApiKeyUsed v 1,
    ApiKeyRevoked v 1,
    OrganisationCreated v 1,
    RetentionSet v 1,
});

const fn requirement_to_wire(requirement: MfaRequirement) -> wire::MfaRequirement {
    match requirement {
        MfaRequirement::Never => wire::MfaRequirement::Never,
        MfaRequirement::Always => wire::MfaRequirement::Always,
        MfaRequirement::PerApplication => wire::MfaRequirement::PerApplication,
    }
}

const fn requirement_from_wire(requirement: wire::MfaRequirement) -> Option<MfaRequirement> {
    match requirement {
        wire::MfaRequirement::Unspecified => None,
        wire::MfaRequirement::Never => Some(MfaRequirement::Never),
        wire::MfaRequirement::Always => Some(MfaRequirement::Always),
        wire::MfaRequirement::PerApplication => Some(MfaRequirement::PerApplication),
    }
}

fn application_id(text: &str) -> Result<ApplicationId, BadPayload> {
    ApplicationId::parse(text).map_err(|_| BadPayload::field("application_id"))
}

impl From<&TenantCreated> for wire::TenantCreated {
    fn from(event: &TenantCreated) -> Self {
        Self {
            display_name: event.display_name.clone(),
            created_at: Some(timestamp_to_wire(event.created_at)),
        }
    }
}

impl TryFrom<wire::TenantCreated> for TenantCreated {
    type Error = BadPayload;

    fn try_from(event: wire::TenantCreated) -> Result<Self, BadPayload> {
        let created_at = required_timestamp(event.created_at.as_ref(), "created_at")?;
        Ok(Self { display_name: event.display_name, created_at })
    }
}

impl From<&ApplicationCreated> for wire::ApplicationCreated {
    fn from(event: &ApplicationCreated) -> Self {
        let requirement =
            event.requirement.map_or(wire::MfaRequirement::Unspecified, requirement_to_wire);
        Self {
            application_id: event.application_id.to_string(),
            display_name: event.display_name.clone(),
            mfa_requirement: requirement.into(),
        }
    }
}

impl TryFrom<wire::ApplicationCreated> for ApplicationCreated {
    type Error = BadPayload;

    fn try_from(event: wire::ApplicationCreated) -> Result<Self, BadPayload> {
        Ok(Self {
            application_id: application_id(&event.application_id)?,
            requirement: requirement_from_wire(event.mfa_requirement()),
            display_name: event.display_name,
        })
    }
}

impl From<&MfaRequirementSet> for wire::MfaRequirementSet {
    fn from(event: &MfaRequirementSet) -> Self {
        Self {
            application_id: event
                .application_id
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
            mfa_requirement: requirement_to_wire(event.requirement).into(),
        }
    }
}

impl TryFrom<wire::MfaRequirementSet> for MfaRequirementSet {
    type Error = BadPayload;

    fn try_from(event: wire::MfaRequirementSet) -> Result<Self, BadPayload> {
        let requirement = requirement_from_wire(event.mfa_requirement())
            .ok_or_else(|| BadPayload::field("mfa_requirement"))?;
        let application_id = match event.application_id.as_str() {
            "" => None,
            id => Some(application_id(id)?),
        };
        Ok(Self { application_id, requirement })
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl From<&FactorSettingsChanged> for wire::FactorSettingsChanged {
    fn from(event: &FactorSettingsChanged) -> Self {
        let settings = &event.settings;
        Self {
            kind: event.kind.to_string(),
            disabled: settings.disabled,
            throttle: Some(wire::ThrottleSettings {
                free_attempts: settings.throttle.free_attempts,
                first_pause_ms: settings.throttle.first_pause.map(millis),
                longest_pause_ms: settings.throttle.longest_pause.map(millis),
                hard_limit: settings.throttle.hard_limit,
            }),
            totp_skew_steps: settings.totp_skew_steps,
            recovery_code_count: settings.recovery_code_count,
            recovery_code_low: settings.recovery_code_low,
            longest_access_pass_ms: settings.longest_access_pass.map(millis),
        }
    }
}

impl TryFrom<wire::FactorSettingsChanged> for FactorSettingsChanged {
    type Error = BadPayload;

    fn try_from(event: wire::FactorSettingsChanged) -> Result<Self, BadPayload> {
        let throttle = event.throttle.unwrap_or_default();
        let settings = FactorSettings {
            disabled: event.disabled,
            throttle: ThrottleOverrides {
                free_attempts: throttle.free_attempts,
                first_pause: throttle.first_pause_ms.map(Duration::from_millis),
                longest_pause: throttle.longest_pause_ms.map(Duration::from_millis),
                hard_limit: throttle.hard_limit,
            },
            totp_skew_steps: event.totp_skew_steps,
            recovery_code_count: event.recovery_code_count,
            recovery_code_low: event.recovery_code_low,
            longest_access_pass: event.longest_access_pass_ms.map(Duration::from_millis),
        };
        Ok(Self { kind: event.kind.into(), settings })
    }
}

impl From<&RetentionSet> for wire::RetentionSet {
    fn from(event: &RetentionSet) -> Self {
        let days = event.retention.inactive_user_days;
        Self { inactive_user_days: days.map_or(0, NonZeroU32::get) }
    }
}

impl TryFrom<wire::RetentionSet> for RetentionSet {
    type Error = BadPayload;

    fn try_from(event: wire::RetentionSet) -> Result<Self, BadPayload> {
        let inactive_user_days = NonZeroU32::new(event.inactive_user_days);
        Ok(Self { retention: Retention { inactive_user_days } })
    }
}
