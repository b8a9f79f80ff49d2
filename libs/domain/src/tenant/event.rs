//! What can happen to a tenant's settings.

use countersign_core::{ApplicationId, KeyId, OrganisationId, Timestamp};

use super::{FactorSettings, Quorum, Retention, Role};
use crate::policy::MfaRequirement;

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// See [`TenantCreated`].
    TenantCreated(TenantCreated),
    /// See [`ApplicationCreated`].
    ApplicationCreated(ApplicationCreated),
    /// See [`MfaRequirementSet`].
    MfaRequirementSet(MfaRequirementSet),
    /// See [`FactorSettingsChanged`].
    FactorSettingsChanged(FactorSettingsChanged),
    /// See [`ApiKeyIssued`].
    ApiKeyIssued(ApiKeyIssued),
    /// See [`ApiKeyRotated`].
    ApiKeyRotated(ApiKeyRotated),
    /// See [`ApiKeyUsed`].
    ApiKeyUsed(ApiKeyUsed),
    /// See [`ApiKeyRevoked`].
    ApiKeyRevoked(ApiKeyRevoked),
    /// See [`OrganisationCreated`].
    OrganisationCreated(OrganisationCreated),
    /// See [`RetentionSet`].
    RetentionSet(RetentionSet),
    /// See [`QuorumSet`].
    QuorumSet(QuorumSet),
    /// See [`GlassBroken`].
    GlassBroken(GlassBroken),
    /// See [`GlassMended`].
    GlassMended(GlassMended),
    /// See [`TenantErased`].
    TenantErased(TenantErased),
}

/// A tenant was created; it challenges every sign-in until it says otherwise.
#[derive(Clone, Debug, PartialEq)]
pub struct TenantCreated {
    /// Its name for people.
    pub display_name: String,
    /// When.
    pub created_at: Timestamp,
}

/// An application was created.
#[derive(Clone, Debug, PartialEq)]
pub struct ApplicationCreated {
    /// Its id.
    pub application_id: ApplicationId,
    /// Its name for people.
    pub display_name: String,
    /// Its requirement; `None` means the tenant's.
    pub requirement: Option<MfaRequirement>,
}

/// The tenant, or one application, now has this requirement.
#[derive(Clone, Debug, PartialEq)]
pub struct MfaRequirementSet {
    /// The application; `None` for the tenant itself.
    pub application_id: Option<ApplicationId>,
    /// The requirement.
    pub requirement: MfaRequirement,
}

/// A kind of factor now behaves so.
#[derive(Clone, Debug, PartialEq)]
pub struct FactorSettingsChanged {
    /// The kind.
    pub kind: Box<str>,
    /// Its settings, whole.
    pub settings: FactorSettings,
}

/// An API key was issued.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiKeyIssued {
    /// Its id.
    pub key_id: KeyId,
    /// What it is for.
    pub display_name: String,
    /// SHA-256 of its secret of 256 random bits.
    pub secret_hash: [u8; 32],
    /// What it may do.
    pub roles: Vec<Role>,
    /// When.
    pub issued_at: Timestamp,
    /// When it ends; `None` if never.
    pub expires_at: Option<Timestamp>,
    /// The organisation that it is confined to.
    pub organisation_id: Option<OrganisationId>,
    /// Addresses (CIDR) that it may be used from; any if there are none.
    pub allowed_addresses: Vec<String>,
}

/// An API key was given a fresh secret.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiKeyRotated {
    /// The key.
    pub key_id: KeyId,
    /// SHA-256 of its secret of 256 random bits.
    pub secret_hash: [u8; 32],
    /// When.
    pub rotated_at: Timestamp,
    /// Until when the previous secret goes on working.
    pub previous_until: Timestamp,
}

/// An API key was used; told at most once an hour.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiKeyUsed {
    /// The key.
    pub key_id: KeyId,
    /// When, exact to an hour.
    pub used_at: Timestamp,
}

/// An API key was ended.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiKeyRevoked {
    /// The key.
    pub key_id: KeyId,
}

/// An organisation was created.
#[derive(Clone, Debug, PartialEq)]
pub struct OrganisationCreated {
    /// Its id.
    pub organisation_id: OrganisationId,
    /// Its name for people.
    pub display_name: String,
}

/// The tenant says how long users stay who do nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct RetentionSet {
    /// How long.
    pub retention: Retention,
}

/// From now on these acts need the agreement of others.
#[derive(Clone, Debug, PartialEq)]
pub struct QuorumSet {
    /// Which, and what an agreement takes; `None` if no act does.
    pub quorum: Option<Quorum>,
}

/// Sign-ins need no second factor for a while.
#[derive(Clone, Debug, PartialEq)]
pub struct GlassBroken {
    /// Only those to this application.
    pub application_id: Option<ApplicationId>,
    /// Why.
    pub reason: String,
    /// When.
    pub broken_at: Timestamp,
    /// When it ends by itself.
    pub until: Timestamp,
}

/// Sign-ins need a second factor again.
#[derive(Clone, Debug, PartialEq)]
pub struct GlassMended {
    /// Only what was broken for this application; everything if `None`.
    pub application_id: Option<ApplicationId>,
}

/// The tenant is no more.
#[derive(Clone, Debug, PartialEq)]
pub struct TenantErased {
    /// When.
    pub erased_at: Timestamp,
}
