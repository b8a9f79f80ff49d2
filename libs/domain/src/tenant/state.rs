//! What the fold of a tenant's settings knows.

use std::collections::BTreeMap;

use countersign_core::{ApplicationId, KeyId, OrganisationId, Timestamp};
use serde::{Deserialize, Serialize};

use super::{ApiKey, Event, FactorSettings, PreviousSecret, Quorum, Retention};
use crate::policy::{MfaRequirement, RequirementPolicy};

/// A tenant's settings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    created: Option<Created>,
    requirement: MfaRequirement,
    applications: BTreeMap<ApplicationId, Application>,
    factor_settings: BTreeMap<Box<str>, FactorSettings>,
    api_keys: BTreeMap<KeyId, ApiKey>,
    organisations: BTreeMap<OrganisationId, Organisation>,
    retention: Retention,
    quorum: Option<Box<Quorum>>,
    /// When each ends, by application; `None` stands for every sign-in of the tenant.
    glass: BTreeMap<Option<ApplicationId>, Timestamp>,
    erased_at: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Created {
    display_name: String,
    at: Timestamp,
}

/// An application.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Application {
    /// Its name for people.
    pub display_name: String,
    /// Its requirement; `None` means the tenant's.
    pub requirement: Option<MfaRequirement>,
}

/// An organisation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Organisation {
    /// Its name for people.
    pub display_name: String,
}

impl State {
    /// Returns whether the tenant was created, and not erased since.
    #[must_use]
    pub const fn exists(&self) -> bool {
        self.created.is_some()
    }

    /// Returns when it was erased.
    #[must_use]
    pub const fn erased_at(&self) -> Option<Timestamp> {
        self.erased_at
    }

    /// Returns its name for people; empty if it was not created.
    #[must_use]
    pub fn display_name(&self) -> &str {
        self.created.as_ref().map_or("", |created| &created.display_name)
    }

    /// Returns when it was created.
    #[must_use]
    pub fn created_at(&self) -> Option<Timestamp> {
        self.created.as_ref().map(|created| created.at)
    }

    /// Returns when its sign-ins need a second factor.
    #[must_use]
    pub const fn requirement(&self) -> MfaRequirement {
        self.requirement
    }

    /// Returns one application.
    #[must_use]
    pub fn application(&self, id: &ApplicationId) -> Option<&Application> {
        self.applications.get(id)
    }

    /// Returns its applications, by id.
    #[must_use]
    pub const fn applications(&self) -> &BTreeMap<ApplicationId, Application> {
        &self.applications
    }

    /// Returns how a kind of factor behaves.
    #[must_use]
    pub fn factor_settings(&self, kind: &str) -> FactorSettings {
        self.factor_settings.get(kind).cloned().unwrap_or_default()
    }

    /// Returns the settings that were changed from the defaults, by kind.
    pub fn changed_factor_settings(&self) -> impl Iterator<Item = (&str, &FactorSettings)> {
        self.factor_settings.iter().map(|(kind, settings)| (&**kind, settings))
    }

    /// Returns one API key.
    #[must_use]
    pub fn api_key(&self, id: &KeyId) -> Option<&ApiKey> {
        self.api_keys.get(id)
    }

    /// Returns its API keys, revoked ones too.
    pub fn api_keys(&self) -> impl Iterator<Item = (&KeyId, &ApiKey)> {
        self.api_keys.iter()
    }

    /// Returns one organisation.
    #[must_use]
    pub fn organisation(&self, id: &OrganisationId) -> Option<&Organisation> {
        self.organisations.get(id)
    }

    /// Returns its organisations, by id.
    #[must_use]
    pub const fn organisations(&self) -> &BTreeMap<OrganisationId, Organisation> {
        &self.organisations
    }

    /// Returns how long users stay who do nothing.
    #[must_use]
    pub const fn retention(&self) -> Retention {
        self.retention
    }

    /// Returns which dangerous acts need the agreement of others; `None` if none does.
    #[must_use]
    pub fn quorum(&self) -> Option<&Quorum> {
        self.quorum.as_deref()
    }

    /// Returns which sign-ins need no second factor for a while, by application, `None` for all, and when that ends.
    pub fn glass(&self) -> impl Iterator<Item = (Option<&ApplicationId>, Timestamp)> {
        self.glass.iter().map(|(application, until)| (application.as_ref(), *until))
    }

    /// Returns until when a sign-in to `application` at `now` needs no second factor; `None` if glass is not broken for it.
    #[must_use]
    pub fn glass_until(
        &self,
        application: Option<&ApplicationId>,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let broken = self.glass().filter(|(broken, _)| broken.is_none() || *broken == application);
        broken.map(|(_, until)| until).filter(|until| now < *until).max()
    }

    /// Returns the policy that judges its sign-ins.
    #[must_use]
    pub fn policy(&self) -> RequirementPolicy {
        let own = |(id, application): (&ApplicationId, &Application)| {
            Some((id.as_str().into(), application.requirement?))
        };
        RequirementPolicy {
            tenant: self.requirement,
            applications: self.applications.iter().filter_map(own).collect(),
        }
    }

    pub(super) fn evolve(mut self, event: &Event) -> Self {
        match event {
            Event::TenantCreated(event) => {
                self.created = Some(Created {
                    display_name: event.display_name.clone(),
                    at: event.created_at,
                });
            }
            Event::ApplicationCreated(event) => {
                let application = Application {
                    display_name: event.display_name.clone(),
                    requirement: event.requirement,
                };
                self.applications.insert(event.application_id.clone(), application);
            }
            Event::MfaRequirementSet(event) => match &event.application_id {
                None => self.requirement = event.requirement,
                Some(id) => {
                    if let Some(application) = self.applications.get_mut(id) {
                        application.requirement = Some(event.requirement);
                    }
                }
            },
            Event::FactorSettingsChanged(event) => {
                self.factor_settings.insert(event.kind.clone(), event.settings.clone());
            }
            Event::ApiKeyIssued(event) => {
                let key = ApiKey {
                    display_name: event.display_name.clone(),
                    secret_hash: event.secret_hash,
                    roles: event.roles.clone(),
                    issued_at: event.issued_at,
                    expires_at: event.expires_at,
                    revoked: false,
                    organisation_id: event.organisation_id.clone(),
                    allowed_addresses: event.allowed_addresses.clone(),
                    previous: None,
                    last_used_at: None,
                };
                self.api_keys.insert(event.key_id.clone(), key);
            }
            Event::ApiKeyRotated(event) => self.change_key(&event.key_id, |key| {
                key.previous = Some(PreviousSecret {
                    secret_hash: key.secret_hash,
                    rotated_at: event.rotated_at,
                    until: event.previous_until,
                });
                key.secret_hash = event.secret_hash;
            }),
            Event::ApiKeyUsed(event) => {
                self.change_key(&event.key_id, |key| key.last_used_at = Some(event.used_at));
            }
            Event::OrganisationCreated(event) => {
                let organisation = Organisation { display_name: event.display_name.clone() };
                self.organisations.insert(event.organisation_id.clone(), organisation);
            }
            Event::RetentionSet(event) => self.retention = event.retention,
            Event::QuorumSet(event) => self.quorum = event.quorum.clone().map(Box::new),
            Event::GlassBroken(event) => {
                self.glass.insert(event.application_id.clone(), event.until);
            }
            Event::GlassMended(event) => match &event.application_id {
                None => self.glass.clear(),
                Some(_) => {
                    self.glass.remove(&event.application_id);
                }
            },
            // Nothing is left of it: its keys open nothing, and it asks for nothing.
            Event::TenantErased(event) => {
                self = Self { erased_at: Some(event.erased_at), ..Self::default() };
            }
            Event::ApiKeyRevoked(event) => self.change_key(&event.key_id, |key| key.revoked = true),
        }
        self
    }

    fn change_key(&mut self, id: &KeyId, change: impl FnOnce(&mut ApiKey)) {
        if let Some(key) = self.api_keys.get_mut(id) {
            change(key);
        }
    }
}
