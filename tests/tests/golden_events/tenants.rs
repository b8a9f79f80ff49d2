//! Samples of what administrators do: tenants' settings, and approvals.

use std::time::Duration;

use countersign_core::{ApplicationId, ApprovalId, KeyId, OrganisationId};
use countersign_domain::{
    approval::{
        self, ApprovalDeclined, ApprovalGiven, ApprovalRequested, ApprovalUsed, ApprovalWithdrawn,
        DangerousAct, Terms,
    },
    policy::MfaRequirement,
    tenant::{
        self, ApiKeyIssued, ApiKeyRevoked, ApiKeyRotated, ApiKeyUsed, ApplicationCreated,
        FactorSettings, FactorSettingsChanged, GlassBroken, GlassMended, MfaRequirementSet,
        OrganisationCreated, Quorum, QuorumSet, Retention, RetentionSet, Role, TenantCreated,
        TenantErased, ThrottleOverrides,
    },
};
use uuid::Uuid;

use crate::samples::{AUTHENTICATOR, at, sealed};

const APPROVAL: ApprovalId = ApprovalId::new(Uuid::from_u128(0xa9));

const TERMS: Terms = Terms { approvers: 2, delay: Duration::from_millis(3_600_001) };

pub(crate) fn key_id() -> KeyId {
    KeyId::parse("k4f2").unwrap()
}

pub(crate) fn organisation_id() -> OrganisationId {
    OrganisationId::parse("north").unwrap()
}

/// A key that is confined.
pub(crate) fn confined_key() -> tenant::Event {
    tenant::Event::ApiKeyIssued(ApiKeyIssued {
        key_id: key_id(),
        display_name: "the help desk of the north".to_owned(),
        secret_hash: [7; 32],
        roles: vec![Role::OrgAdmin, Role::HelpDesk],
        issued_at: at(1),
        expires_at: Some(at(2)),
        organisation_id: Some(organisation_id()),
        allowed_addresses: vec!["192.0.2.0/24".to_owned(), "2001:db8::1".to_owned()],
    })
}

pub(crate) fn application_id() -> ApplicationId {
    ApplicationId::parse("vpn").unwrap()
}

pub(crate) fn tenant() -> Vec<tenant::Event> {
    use tenant::Event as E;
    vec![
        E::TenantCreated(TenantCreated { display_name: "Acme".to_owned(), created_at: at(0) }),
        E::ApplicationCreated(ApplicationCreated {
            application_id: application_id(),
            display_name: "VPN".to_owned(),
            requirement: Some(MfaRequirement::Always),
        }),
        E::MfaRequirementSet(MfaRequirementSet {
            application_id: Some(application_id()),
            requirement: MfaRequirement::Never,
        }),
        E::ApiKeyRotated(ApiKeyRotated {
            key_id: key_id(),
            secret_hash: std::array::from_fn(|n| u8::try_from(31 - n).unwrap()),
            rotated_at: at(3),
            previous_until: at(4),
        }),
        E::ApiKeyUsed(ApiKeyUsed { key_id: key_id(), used_at: at(5) }),
        E::ApiKeyRevoked(ApiKeyRevoked { key_id: key_id() }),
        E::OrganisationCreated(OrganisationCreated {
            organisation_id: organisation_id(),
            display_name: "North".to_owned(),
        }),
        E::RetentionSet(RetentionSet {
            retention: Retention { inactive_user_days: std::num::NonZeroU32::new(90) },
        }),
        E::QuorumSet(QuorumSet { quorum: Quorum::new(DangerousAct::ALL.iter().copied(), TERMS) }),
        E::GlassBroken(GlassBroken {
            application_id: Some(application_id()),
            reason: "nobody gets codes".to_owned(),
            broken_at: at(6),
            until: at(7),
        }),
        E::GlassMended(GlassMended { application_id: Some(application_id()) }),
        E::TenantErased(TenantErased { erased_at: at(8) }),
    ]
}

/// Settings, which have had one more since there are temporary access passes.
pub(crate) fn factor_settings() -> tenant::Event {
    let settings = FactorSettings {
        disabled: true,
        throttle: ThrottleOverrides {
            free_attempts: Some(7),
            first_pause: Some(Duration::from_millis(1_500)),
            longest_pause: Some(Duration::from_secs(7_200)),
            hard_limit: Some(90),
        },
        totp_skew_steps: Some(2),
        recovery_code_count: Some(12),
        recovery_code_low: Some(4),
        longest_access_pass: Some(Duration::from_secs(14_400)),
    };
    let changed = FactorSettingsChanged { kind: "totp".into(), settings };
    tenant::Event::FactorSettingsChanged(changed)
}

pub(crate) fn approvals() -> Vec<approval::Event> {
    use approval::Event as E;
    let approval_id = APPROVAL;
    vec![
        E::ApprovalRequested(ApprovalRequested {
            approval_id,
            act: DangerousAct::RemoveLastAuthenticator,
            method: "RemoveAuthenticator".into(),
            digest: std::array::from_fn(|n| u8::try_from(n).unwrap()),
            requester: "api-key:acme.k4f2".into(),
            user_id: Some(sealed(4)),
            details: [("authenticator_id".to_owned(), AUTHENTICATOR.to_string())].into(),
            terms: TERMS,
            requested_at: at(0),
            expires_at: at(1),
        }),
        E::ApprovalGiven(ApprovalGiven {
            approval_id,
            approver: "api-key:acme.k4f3".into(),
            given_at: at(2),
        }),
        E::ApprovalDeclined(ApprovalDeclined {
            approval_id,
            decliner: "token:staff:bob".into(),
            reason: "not today".to_owned(),
            declined_at: at(3),
        }),
        E::ApprovalWithdrawn(ApprovalWithdrawn { approval_id, withdrawn_at: at(4) }),
        E::ApprovalUsed(ApprovalUsed { approval_id, used_at: at(5) }),
    ]
}
