//! A tenant's settings: applications, requirements, how factors behave, and API keys.

mod convert;
mod event;
mod keys;
mod quorum;
mod role;
mod settings;
mod state;

use countersign_core::{ApplicationId, OrganisationId, Timestamp};
use countersign_eventsourcing::Decider;

pub use event::{
    ApiKeyIssued, ApiKeyRevoked, ApiKeyRotated, ApiKeyUsed, ApplicationCreated, Event,
    FactorSettingsChanged, GlassBroken, GlassMended, MfaRequirementSet, OrganisationCreated,
    QuorumSet, RetentionSet, TenantCreated, TenantErased,
};
pub use keys::{
    ApiKey, IssueApiKey, MAX_API_KEYS, NoteApiKeyUse, PreviousSecret, RevokeApiKey, RotateApiKey,
    USE_TOLD_EVERY,
};
pub use quorum::Quorum;
pub use role::Role;
pub use settings::{FactorSettings, Retention, ThrottleOverrides};
pub use state::{Application, Organisation, State};

use crate::{approval::DangerousAct, policy::MfaRequirement};

/// How many applications a tenant may have.
pub const MAX_APPLICATIONS: usize = 1_000;

/// How many organisations a tenant may have.
pub const MAX_ORGANISATIONS: usize = 10_000;

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
    /// Creates an organisation.
    CreateOrganisation {
        /// Its id.
        organisation_id: OrganisationId,
        /// Its name for people.
        display_name: String,
    },
    /// Issues an API key.
    IssueApiKey(IssueApiKey),
    /// Gives an API key a fresh secret.
    RotateApiKey(RotateApiKey),
    /// Notes that an API key was used.
    NoteApiKeyUse(NoteApiKeyUse),
    /// Ends an API key.
    RevokeApiKey(RevokeApiKey),
    /// Says how long users stay who do nothing.
    SetRetention(Retention),
    /// Says which dangerous acts need the agreement of others; `None` for none.
    SetQuorum(Option<Quorum>),
    /// Lets sign-ins through without a second factor for a while.
    BreakGlass {
        /// Only those to this application.
        application_id: Option<ApplicationId>,
        /// Why.
        reason: String,
        /// The present instant.
        now: Timestamp,
        /// When it ends by itself.
        until: Timestamp,
    },
    /// Ends that.
    MendGlass {
        /// Only what was broken for this application.
        application_id: Option<ApplicationId>,
    },
    /// Erases the tenant for good.
    Erase {
        /// The present instant.
        now: Timestamp,
    },
    /// Carries a command out that others agreed to, or that needs no agreement though it looks so.
    Allowed(Box<Self>),
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
    /// The tenant has no such organisation.
    #[error("the tenant has no such organisation")]
    OrganisationNotFound,
    /// The organisation is there already.
    #[error("the tenant has an organisation of this name already")]
    OrganisationExists,
    /// The tenant has as many organisations as are allowed.
    #[error("the tenant has {MAX_ORGANISATIONS} organisations already")]
    TooManyOrganisations,
    /// The tenant has no such API key.
    #[error("the tenant has no such API key")]
    ApiKeyNotFound,
    /// The tenant has as many API keys as are allowed.
    #[error("the tenant has {MAX_API_KEYS} API keys in use; revoke one first")]
    TooManyApiKeys,
    /// Others must agree to it first.
    #[error("other administrators must approve it first")]
    NeedsApproval(DangerousAct),
}

impl Decider for Tenant {
    const CATEGORY: &'static str = "tenant";
    type State = State;
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;

    fn decide(state: &State, command: Command) -> Result<Vec<Event>, Rejection> {
        if let Command::Create { display_name, now } = command {
            return if state.exists() || state.erased_at().is_some() {
                Err(Rejection::Exists)
            } else {
                Ok(vec![Event::TenantCreated(TenantCreated { display_name, created_at: now })])
            };
        }
        if !state.exists() {
            let is_erasure = matches!(command, Command::Erase { .. });
            let is_done = is_erasure && state.erased_at().is_some();
            return if is_done { Ok(vec![]) } else { Err(Rejection::NotFound) };
        }
        if let Command::Allowed(command) = command {
            return decide_existing(state, *command);
        }
        let events = decide_existing(state, command)?;
        match events.iter().find_map(|event| quorum::act_in_need(state, event)) {
            Some(act) => Err(Rejection::NeedsApproval(act)),
            None => Ok(events),
        }
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
        Command::CreateOrganisation { organisation_id, display_name } => {
            if state.organisation(&organisation_id).is_some() {
                return Err(Rejection::OrganisationExists);
            }
            if state.organisations().len() >= MAX_ORGANISATIONS {
                return Err(Rejection::TooManyOrganisations);
            }
            let created = OrganisationCreated { organisation_id, display_name };
            vec![Event::OrganisationCreated(created)]
        }
        Command::IssueApiKey(command) => command.decide(state)?,
        Command::RotateApiKey(command) => command.decide(state)?,
        Command::NoteApiKeyUse(command) => command.decide(state)?,
        Command::RevokeApiKey(command) => command.decide(state)?,
        Command::SetRetention(retention) => {
            if state.retention() == retention {
                return Ok(vec![]);
            }
            vec![Event::RetentionSet(RetentionSet { retention })]
        }
        Command::SetQuorum(quorum) => {
            if state.quorum() == quorum.as_ref() {
                return Ok(vec![]);
            }
            vec![Event::QuorumSet(QuorumSet { quorum })]
        }
        Command::BreakGlass { application_id, reason, now, until } => {
            known_application(state, application_id.as_ref())?;
            if state.glass().any(|glass| glass == (application_id.as_ref(), until)) {
                return Ok(vec![]);
            }
            let broken = GlassBroken { application_id, reason, broken_at: now, until };
            vec![Event::GlassBroken(broken)]
        }
        Command::MendGlass { application_id } => {
            known_application(state, application_id.as_ref())?;
            let asked = application_id.as_ref();
            if !state.glass().any(|(broken, _)| asked.is_none() || broken == asked) {
                return Ok(vec![]);
            }
            vec![Event::GlassMended(GlassMended { application_id })]
        }
        Command::Erase { now } => vec![Event::TenantErased(TenantErased { erased_at: now })],
        Command::Allowed(command) => return decide_existing(state, *command),
    })
}

fn known_application(state: &State, id: Option<&ApplicationId>) -> Result<(), Rejection> {
    let is_known = id.is_none_or(|id| state.application(id).is_some());
    if is_known { Ok(()) } else { Err(Rejection::ApplicationNotFound) }
}

#[cfg(test)]
mod dangerous;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod scenarios;
