//! Translation of events between domain words and the stored schema.

use std::{num::NonZeroU32, time::Duration};

use countersign_core::ApplicationId;
use countersign_proto::event as wire;

use super::{
    ApiKeyIssued, ApiKeyRevoked, ApiKeyRotated, ApiKeyUsed, ApplicationCreated, Event,
    FactorSettings, FactorSettingsChanged, GlassBroken, GlassMended, MfaRequirementSet,
    OrganisationCreated, Quorum, QuorumSet, Retention, RetentionSet, Tenant, TenantCreated,
    TenantErased, ThrottleOverrides,
};
use crate::{
    approval::{DangerousAct, Terms},
    policy::MfaRequirement,
    wire::{BadPayload, event_codec, required_timestamp, timestamp_to_wire},
};

event_codec!(Tenant, state version 5, {
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
    QuorumSet v 1,
    GlassBroken v 1,
    GlassMended v 1,
    TenantErased v 1,
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
            application_id: optional_text(event.application_id.as_ref()),
            mfa_requirement: requirement_to_wire(event.requirement).into(),
        }
    }
}

impl TryFrom<wire::MfaRequirementSet> for MfaRequirementSet {
    type Error = BadPayload;

    fn try_from(event: wire::MfaRequirementSet) -> Result<Self, BadPayload> {
        let requirement = requirement_from_wire(event.mfa_requirement())
            .ok_or_else(|| BadPayload::field("mfa_requirement"))?;
        let application_id = optional_application(&event.application_id)?;
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

impl From<&QuorumSet> for wire::QuorumSet {
    fn from(event: &QuorumSet) -> Self {
        let Some(quorum) = &event.quorum else { return Self::default() };
        Self {
            acts: quorum.acts().iter().map(|act| act.to_wire().into()).collect(),
            approvers: quorum.terms.approvers,
            delay_ms: millis(quorum.terms.delay),
        }
    }
}

impl TryFrom<wire::QuorumSet> for QuorumSet {
    type Error = BadPayload;

    fn try_from(event: wire::QuorumSet) -> Result<Self, BadPayload> {
        // One that this release does not know must not be passed over: nothing would protect it.
        let act = |act: &i32| {
            DangerousAct::from_wire(wire::DangerousAct::try_from(*act).ok()?, "acts").ok()
        };
        let acts: Option<Vec<_>> = event.acts.iter().map(act).collect();
        let acts = acts.ok_or_else(|| BadPayload::field("acts"))?;
        let delay = Duration::from_millis(event.delay_ms);
        let terms = Terms { approvers: event.approvers, delay };
        Ok(Self { quorum: Quorum::new(acts, terms) })
    }
}

fn optional_application(text: &str) -> Result<Option<ApplicationId>, BadPayload> {
    if text.is_empty() { Ok(None) } else { application_id(text).map(Some) }
}

fn optional_text(id: Option<&ApplicationId>) -> String {
    id.map(ToString::to_string).unwrap_or_default()
}

impl From<&GlassBroken> for wire::GlassBroken {
    fn from(event: &GlassBroken) -> Self {
        Self {
            application_id: optional_text(event.application_id.as_ref()),
            reason: event.reason.clone(),
            broken_at: Some(timestamp_to_wire(event.broken_at)),
            until: Some(timestamp_to_wire(event.until)),
        }
    }
}

impl TryFrom<wire::GlassBroken> for GlassBroken {
    type Error = BadPayload;

    fn try_from(event: wire::GlassBroken) -> Result<Self, BadPayload> {
        Ok(Self {
            application_id: optional_application(&event.application_id)?,
            broken_at: required_timestamp(event.broken_at.as_ref(), "broken_at")?,
            until: required_timestamp(event.until.as_ref(), "until")?,
            reason: event.reason,
        })
    }
}

impl From<&GlassMended> for wire::GlassMended {
    fn from(event: &GlassMended) -> Self {
        Self { application_id: optional_text(event.application_id.as_ref()) }
    }
}

impl TryFrom<wire::GlassMended> for GlassMended {
    type Error = BadPayload;

    fn try_from(event: wire::GlassMended) -> Result<Self, BadPayload> {
        Ok(Self { application_id: optional_application(&event.application_id)? })
    }
}

impl From<&TenantErased> for wire::TenantErased {
    fn from(event: &TenantErased) -> Self {
        Self { erased_at: Some(timestamp_to_wire(event.erased_at)) }
    }
}

impl TryFrom<wire::TenantErased> for TenantErased {
    type Error = BadPayload;

    fn try_from(event: wire::TenantErased) -> Result<Self, BadPayload> {
        Ok(Self { erased_at: required_timestamp(event.erased_at.as_ref(), "erased_at")? })
    }
}
