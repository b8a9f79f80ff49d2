//! A user's authenticators, from the start of enrolment to removal.
//!
//! ```text
//!   StartEnrollment          ConfirmEnrollment (right)         Suspend
//!  ──────────────▶ pending ───────────────────────▶ active ───────────▶ suspended
//!                     │ wrong too often, expired,      │ ▲                 │   │
//!                     │ superseded                     │ └─── Reinstate ───┘   │
//!                     ▼                                ▼       Remove          ▼
//!                 abandoned                         removed ◀──────────────────┘
//! ```
//!
//! A set of recovery codes is an authenticator too, and so is a temporary access pass; issuing a new one keeps the id, so
//! that failures go on counting.

mod confirm_enrollment;
mod convert;
mod erase_user;
mod event;
mod guard;
mod issue_recovery_codes;
mod issue_temporary_access_pass;
mod life;
mod place_user;
mod reseal_secrets;
mod start_enrollment;
mod state;

use countersign_eventsourcing::Decider;

use crate::approval::DangerousAct;

pub use confirm_enrollment::{ConfirmEnrollment, Confirmation, MAX_CONFIRM_ATTEMPTS};
pub use erase_user::EraseUser;
pub use event::{
    AbandonReason, AuthenticatorReinstated, AuthenticatorRemoved, AuthenticatorRenamed,
    AuthenticatorSuspended, DefaultAuthenticatorSet, EnrollmentAbandoned, EnrollmentAttemptFailed,
    EnrollmentConfirmed, EnrollmentStarted, Event, RecoveryCodesIssued, SecretsResealed,
    SelfServiceTokenIssued, TemporaryAccessPassIssued, UserErased, UserPlaced,
};
pub use guard::Guard;
pub use issue_recovery_codes::{IssueRecoveryCodes, RECOVERY_CODE_KIND};
pub use issue_temporary_access_pass::{IssueTemporaryAccessPass, Pass, TEMPORARY_ACCESS_PASS_KIND};
pub use life::{
    ReinstateAuthenticator, RemoveAuthenticator, RenameAuthenticator, SetDefaultAuthenticator,
    SuspendAuthenticator,
};
pub use place_user::{IssueSelfServiceToken, PlaceUser, Placement};
pub use reseal_secrets::ResealSecrets;
pub use start_enrollment::{MAX_AUTHENTICATORS, StartEnrollment};
pub use state::{Authenticator, State, Status};

/// The decider of stream `authenticators-{tenant}.{user_key}`.
#[derive(Clone, Copy, Debug)]
pub struct UserAuthenticators;

/// What may be asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Begins to bind an authenticator.
    StartEnrollment(StartEnrollment),
    /// Judges the proof that the user holds it.
    ConfirmEnrollment(ConfirmEnrollment),
    /// Changes what the user calls it.
    Rename(RenameAuthenticator),
    /// Makes challenges prefer it.
    SetDefault(SetDefaultAuthenticator),
    /// Sets it aside.
    Suspend(SuspendAuthenticator),
    /// Takes it back into service.
    Reinstate(ReinstateAuthenticator),
    /// Removes it for good.
    Remove(RemoveAuthenticator),
    /// Issues a set of recovery codes in place of the previous one.
    IssueRecoveryCodes(IssueRecoveryCodes),
    /// Issues a temporary access pass in place of the previous one.
    IssueTemporaryAccessPass(IssueTemporaryAccessPass),
    /// Places the user in an organisation, with or without privilege.
    PlaceUser(PlaceUser),
    /// Notes that a token was made with which the user looks after their own authenticators.
    IssueSelfServiceToken(IssueSelfServiceToken),
    /// Takes the secrets over that were sealed anew.
    ResealSecrets(ResealSecrets),
    /// Erases the user for good.
    EraseUser(EraseUser),
    /// Carries a command out unless others must agree to it first.
    Guarded(Guard, Box<Self>),
}

/// Why a command is not allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The user has no such authenticator.
    #[error("the user has no such authenticator")]
    NotFound,
    /// The user has as many authenticators as are allowed.
    #[error("the user has {MAX_AUTHENTICATORS} authenticators already; remove one first")]
    TooMany,
    /// The enrolment is over: confirmed or abandoned.
    #[error("the enrolment is closed; start a new one")]
    EnrollmentClosed,
    /// The enrolment's time ran out.
    #[error("the enrolment has expired; start a new one")]
    EnrollmentExpired,
    /// Only an active authenticator can do this.
    #[error("the authenticator is not active")]
    NotActive,
    /// Only a suspended authenticator can do this.
    #[error("the authenticator is not suspended")]
    NotSuspended,
    /// A temporary access pass is for a while: challenges never prefer it.
    #[error("a temporary access pass is never the default")]
    NeverDefault,
    /// The authenticator is gone.
    #[error("the authenticator was removed")]
    Removed,
    /// The user was erased; nothing is accepted for them any more.
    #[error("the user was erased")]
    Erased,
    /// What was sealed is under another secrets key than the user's secrets are by now: seal it anew.
    #[error("the user's secrets are under another key by now")]
    SecretsSuperseded,
    /// Others must agree to it first.
    #[error("other administrators must approve it first")]
    NeedsApproval(DangerousAct),
}

impl Decider for UserAuthenticators {
    const CATEGORY: &'static str = "authenticators";
    type State = State;
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;

    fn decide(state: &State, command: Command) -> Result<Vec<Event>, Rejection> {
        if state.is_erased() && !matches!(command, Command::EraseUser(_)) {
            return Err(Rejection::Erased);
        }
        match command {
            Command::StartEnrollment(command) => command.decide(state),
            Command::ConfirmEnrollment(command) => command.decide(state),
            Command::Rename(command) => command.decide(state),
            Command::SetDefault(command) => command.decide(state),
            Command::Suspend(command) => command.decide(state),
            Command::Reinstate(command) => command.decide(state),
            Command::Remove(command) => command.decide(state),
            Command::IssueRecoveryCodes(command) => command.decide(state),
            Command::IssueTemporaryAccessPass(command) => command.decide(state),
            Command::PlaceUser(command) => command.decide(state),
            Command::IssueSelfServiceToken(command) => command.decide(state),
            Command::ResealSecrets(command) => command.decide(state),
            Command::EraseUser(command) => command.decide(state),
            Command::Guarded(guard, command) => {
                let events = Self::decide(state, *command)?;
                match events.iter().find_map(|event| guard.act_in_need(state, event)) {
                    Some(act) => Err(Rejection::NeedsApproval(act)),
                    None => Ok(events),
                }
            }
        }
    }

    fn evolve(state: State, event: &Event) -> State {
        state.evolve(event)
    }
}

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod properties;
