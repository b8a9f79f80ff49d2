//! Everything that is decided together about a user's verifications.
//!
//! ```text
//!   Issue            Answer (right, not used before)
//!  ───────▶ pending ───────────────────────────────▶ verified
//!              │ Answer (wrong), attempts left ─▶ pending
//!              │ Answer (wrong), the last one ──▶ exhausted
//!              │ Cancel ────────────────────────▶ canceled
//!              │ Issue, too many pending ───────▶ superseded
//!              └ time runs out ─────────────────▶ expired
//! ```
//!
//! Beside the challenges stands a ledger for each authenticator: failures in a row, of all sources and of each, the
//! closures that follow them, and what was used up. It outlives challenges: a new one never resets it (NIST SP 800-63B-4
//! section 3.2.2).

mod answer;
mod budgets;
mod cancel;
mod convert;
mod event;
mod issue;
mod ledger;
mod release_throttle;
mod source;
mod state;

use countersign_core::Timestamp;
use countersign_eventsourcing::Decider;

pub use answer::{Answer, Judgement};
pub use cancel::CancelChallenge;
pub use event::{
    Allowed, AttemptFailed, AttemptFailure, AuthenticatorThrottled, ChallengeCanceled,
    ChallengeExhausted, ChallengeExpired, ChallengeIssued, ChallengeSuperseded, ChallengeVerified,
    ClosedTo, Consumed, Event, ThrottleReleased,
};
pub use issue::{IssueChallenge, MAX_PENDING};
pub use ledger::{Ledger, Throttle, ThrottleScope};
pub use release_throttle::ReleaseThrottle;
pub use source::{Source, SourceKey};
pub use state::{Challenge, ChallengeState, Proof, State};

/// The decider of stream `challenges-{tenant}.{user_key}`.
#[derive(Clone, Copy, Debug)]
pub struct UserChallenges;

/// What may be asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Opens a challenge.
    Issue(IssueChallenge),
    /// Judges one answer.
    Answer(Answer),
    /// Gives a pending challenge up.
    Cancel(CancelChallenge),
    /// Opens a throttled authenticator to attempts.
    ReleaseThrottle(ReleaseThrottle),
}

/// Why a command is not allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The user has no such challenge, or it was closed long ago.
    #[error("the user has no such challenge")]
    NotFound,
    /// The challenge is over.
    #[error("the challenge is closed")]
    Closed(ChallengeState),
    /// The challenge's time ran out.
    #[error("the challenge has expired; create a new one")]
    Expired,
    /// The challenge is not for this authenticator.
    #[error("the challenge is not for this authenticator")]
    NotAllowed,
    /// The authenticator takes no attempts from this source for now. Says nothing about the answer, which was not
    /// judged.
    #[error("the authenticator takes no attempts for now")]
    Throttled {
        /// When it does again; `None` if no time opens it.
        until: Option<Timestamp>,
    },
    /// Nothing is there to be released.
    #[error("the authenticator has no failures to clear")]
    NotThrottled,
}

impl Decider for UserChallenges {
    const CATEGORY: &'static str = "challenges";
    type State = State;
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;

    fn decide(state: &State, command: Command) -> Result<Vec<Event>, Rejection> {
        match command {
            Command::Issue(command) => Ok(command.decide(state)),
            Command::Answer(command) => command.decide(state),
            Command::Cancel(command) => command.decide(state),
            Command::ReleaseThrottle(command) => command.decide(state),
        }
    }

    fn evolve(state: State, event: &Event) -> State {
        state.evolve(event)
    }
}

#[cfg(test)]
mod figures;
#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod scenarios;
#[cfg(test)]
mod story;
