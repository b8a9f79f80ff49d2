//! A tenant's settings: applications, requirements, how factors behave, and API keys.

mod convert;
mod event;
mod settings;
mod state;

use countersign_core::{ApplicationId, KeyId, Timestamp};
use countersign_eventsourcing::Decider;

pub use event::{
    ApiKeyIssued, ApiKeyRevoked, ApplicationCreated, Event, FactorSettingsChanged,
    MfaRequirementSet, TenantCreated,
};
pub use settings::{FactorSettings, Role, ThrottleOverrides};
pub use state::{ApiKey, Application, State};

use crate::policy::MfaRequirement;

/// How many applications a tenant may have.
pub const MAX_APPLICATIONS: usize = 1_000;

/// How many API keys a tenant may have, revoked and expired ones not counted.
pub const MAX_API_KEYS: usize = 100;

/// The decider of stream `tenant-{tenant}.settings`.
#[derive(Clone, Copy, Debug)]
pub struct Tenant;

impl Tenant {
    /// The key of every tenant's stream.
    pub const STREAM_KEY: &'static str = "settings";
}

/// What may be asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Creates the tenant.
    Create {
        /// Its name for people.
        display_name: String,
        /// The present instant.
        now: Timestamp,
    },
    /// Creates an application.
    CreateApplication {
        /// Its id.
        application_id: ApplicationId,
        /// Its name for people.
        display_name: String,
        /// Its requirement; `None` means the tenant's.
        requirement: Option<MfaRequirement>,
    },
    /// Sets the requirement of the tenant or of one application.
    SetMfaRequirement {
        /// The application; `None` for the tenant itself.
        application_id: Option<ApplicationId>,
        /// The requirement.
        requirement: MfaRequirement,
    },
    /// Sets how a kind of factor behaves.
    SetFactorSettings {
        /// The kind.
        kind: Box<str>,
        /// Its settings, whole.
        settings: FactorSettings,
    },
    /// Issues an API key.
    IssueApiKey {
        /// Its id, new.
        key_id: KeyId,
        /// What it is for.
        display_name: String,
        /// SHA-256 of its secret.
        secret_hash: [u8; 32],
        /// What it may do.
        roles: Vec<Role>,
        /// The present instant.
        now: Timestamp,
        /// When it ends; `None` if never.
        expires_at: Option<Timestamp>,
    },
    /// Ends an API key.
    RevokeApiKey {
        /// The key.
        key_id: KeyId,
    },
}

/// Why a command is not allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// No such tenant.
    #[error("there is no such tenant")]
    NotFound,
    /// The tenant is there already.
    #[error("there is a tenant of this name already")]
    Exists,
    /// The tenant has no such application.
    #[error("the tenant has no such application")]
    ApplicationNotFound,
    /// The application is there already.
    #[error("the tenant has an application of this name already")]
    ApplicationExists,
    /// The tenant has as many applications as are allowed.
    #[error("the tenant has {MAX_APPLICATIONS} applications already")]
    TooManyApplications,
    /// The tenant has no such API key.
    #[error("the tenant has no such API key")]
    ApiKeyNotFound,
    /// The tenant has as many API keys as are allowed.
    #[error("the tenant has {MAX_API_KEYS} API keys in use; revoke one first")]
    TooManyApiKeys,
}

impl Decider for Tenant {
    const CATEGORY: &'static str = "tenant";
    type State = State;
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;

    fn decide(state: &State, command: Command) -> Result<Vec<Event>, Rejection> {
        if let Command::Create { display_name, now } = command {
            return if state.exists() {
                Err(Rejection::Exists)
            } else {
                Ok(vec![Event::TenantCreated(TenantCreated { display_name, created_at: now })])
            };
        }
        if !state.exists() {
            return Err(Rejection::NotFound);
        }
        decide_existing(state, command)
    }

    fn evolve(state: State, event: &Event) -> State {
        state.evolve(event)
    }
}

fn decide_existing(state: &State, command: Command) -> Result<Vec<Event>, Rejection> {
    Ok(match command {
        Command::Create { .. } => return Err(Rejection::Exists),
        Command::CreateApplication { application_id, display_name, requirement } => {
            if state.application(&application_id).is_some() {
                return Err(Rejection::ApplicationExists);
            }
            if state.applications().len() >= MAX_APPLICATIONS {
                return Err(Rejection::TooManyApplications);
            }
            let created = ApplicationCreated { application_id, display_name, requirement };
            vec![Event::ApplicationCreated(created)]
        }
        Command::SetMfaRequirement { application_id, requirement } => {
            let current = match &application_id {
                None => Some(state.requirement()),
                Some(id) => {
                    state.application(id).ok_or(Rejection::ApplicationNotFound)?.requirement
                }
            };
            if current == Some(requirement) {
                return Ok(vec![]);
            }
            vec![Event::MfaRequirementSet(MfaRequirementSet { application_id, requirement })]
        }
        Command::SetFactorSettings { kind, settings } => {
            if state.factor_settings(&kind) == settings {
                return Ok(vec![]);
            }
            vec![Event::FactorSettingsChanged(FactorSettingsChanged { kind, settings })]
        }
        Command::IssueApiKey { key_id, display_name, secret_hash, roles, now, expires_at } => {
            if state.api_keys().filter(|(_, key)| key.is_usable(now)).count() >= MAX_API_KEYS {
                return Err(Rejection::TooManyApiKeys);
            }
            vec![Event::ApiKeyIssued(ApiKeyIssued {
                key_id,
                display_name,
                secret_hash,
                roles,
                issued_at: now,
                expires_at,
            })]
        }
        Command::RevokeApiKey { key_id } => {
            if state.api_key(&key_id).ok_or(Rejection::ApiKeyNotFound)?.revoked {
                return Ok(vec![]);
            }
            vec![Event::ApiKeyRevoked(ApiKeyRevoked { key_id })]
        }
    })
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod scenarios;
