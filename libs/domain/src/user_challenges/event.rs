//! What can happen in a user's verifications.

use countersign_core::{AuthenticatorId, ChallengeId, Timestamp};
use serde::{Deserialize, Serialize};

use super::Source;
use crate::throttle::Closure;

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// See [`ChallengeIssued`].
    ChallengeIssued(ChallengeIssued),
    /// See [`ChallengeVerified`].
    ChallengeVerified(ChallengeVerified),
    /// See [`AttemptFailed`].
    AttemptFailed(AttemptFailed),
    /// See [`ChallengeExhausted`].
    ChallengeExhausted(ChallengeExhausted),
    /// See [`ChallengeExpired`].
    ChallengeExpired(ChallengeExpired),
    /// See [`ChallengeCanceled`].
    ChallengeCanceled(ChallengeCanceled),
    /// See [`ChallengeSuperseded`].
    ChallengeSuperseded(ChallengeSuperseded),
    /// See [`AuthenticatorThrottled`].
    AuthenticatorThrottled(AuthenticatorThrottled),
    /// See [`ThrottleReleased`].
    ThrottleReleased(ThrottleReleased),
}

/// An authenticator that may answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allowed {
    /// Its id.
    pub authenticator_id: AuthenticatorId,
    /// Its kind.
    pub kind: Box<str>,
}

/// A challenge was opened.
#[derive(Clone, Debug, PartialEq)]
pub struct ChallengeIssued {
    /// The challenge.
    pub challenge_id: ChallengeId,
    /// The application; may be empty.
    pub application_id: Box<str>,
    /// Who may answer, the preferred one first.
    pub allowed: Vec<Allowed>,
    /// The sign-in evaluation that asked for it; may be empty.
    pub sign_in_id: Box<str>,
    /// Wrong answers that it takes.
    pub max_attempts: u32,
    /// When it was opened.
    pub issued_at: Timestamp,
    /// When it lapses.
    pub expires_at: Timestamp,
    /// Where its answers are said to come from.
    pub source: Source,
}

/// What a right answer used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consumed {
    /// A moving factor; it and all before it are spent.
    MovingFactor(u64),
    /// A single-use code of a set.
    Code {
        /// Which set.
        generation: u32,
        /// Which code of it.
        index: u32,
    },
    /// Nothing.
    Nothing,
}

/// A right answer was given and what it used up is spent.
#[derive(Clone, Debug, PartialEq)]
pub struct ChallengeVerified {
    /// The challenge.
    pub challenge_id: ChallengeId,
    /// The authenticator that answered.
    pub authenticator_id: AuthenticatorId,
    /// Its kind.
    pub kind: Box<str>,
    /// What the answer used up.
    pub consumed: Consumed,
    /// Authentication context class reached.
    pub acr: Box<str>,
    /// Authentication method references.
    pub amr: Vec<String>,
    /// When.
    pub verified_at: Timestamp,
    /// For a set of codes, how many are left.
    pub codes_remaining: Option<u32>,
    /// Whether the set is nearly used up.
    pub codes_low: bool,
    /// Where the answer came from.
    pub source: Source,
}

/// Why an answer was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptFailure {
    /// Recorded before reasons were.
    Unknown,
    /// The code was not right.
    WrongCode,
    /// The code was right and had been used before.
    Replayed,
}

/// An answer was refused.
#[derive(Clone, Debug, PartialEq)]
pub struct AttemptFailed {
    /// The challenge.
    pub challenge_id: ChallengeId,
    /// The authenticator.
    pub authenticator_id: AuthenticatorId,
    /// Attempts left on the challenge.
    pub attempts_left: u32,
    /// Failures in a row of the authenticator, this one included.
    pub consecutive_failures: u32,
    /// Why.
    pub reason: AttemptFailure,
    /// When; the epoch if it was recorded before times were.
    pub failed_at: Timestamp,
    /// Where the answer came from.
    pub source: Source,
    /// Failures in a row of this source, this one included; `None` if it was recorded before sources were told apart.
    pub source_failures: Option<u32>,
    /// Failures of all sources that have not proved themselves, this one included; `None` if this one has.
    pub unproven_failures: Option<u32>,
}

/// A challenge used up its attempts.
#[derive(Clone, Debug, PartialEq)]
pub struct ChallengeExhausted {
    /// The challenge.
    pub challenge_id: ChallengeId,
}

/// A challenge was found to have lapsed.
#[derive(Clone, Debug, PartialEq)]
pub struct ChallengeExpired {
    /// The challenge.
    pub challenge_id: ChallengeId,
}

/// The platform gave a challenge up.
#[derive(Clone, Debug, PartialEq)]
pub struct ChallengeCanceled {
    /// The challenge.
    pub challenge_id: ChallengeId,
}

/// Newer challenges pushed a pending one out.
#[derive(Clone, Debug, PartialEq)]
pub struct ChallengeSuperseded {
    /// The challenge.
    pub challenge_id: ChallengeId,
}

/// Whose attempts are not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClosedTo {
    /// Anybody's.
    Everyone,
    /// Those of one source.
    Source {
        /// Which.
        source: Source,
        /// How long those of all sources that have not proved themselves are not taken either.
        unproven: Option<Closure>,
    },
}

/// An authenticator was closed to attempts.
#[derive(Clone, Debug, PartialEq)]
pub struct AuthenticatorThrottled {
    /// The authenticator.
    pub authenticator_id: AuthenticatorId,
    /// Failures in a row.
    pub consecutive_failures: u32,
    /// When attempts are taken again; `None` if no time opens it.
    pub until: Option<Timestamp>,
    /// Whose.
    pub closed_to: ClosedTo,
}

/// An administrator opened an authenticator to attempts and cleared its count.
#[derive(Clone, Debug, PartialEq)]
pub struct ThrottleReleased {
    /// The authenticator.
    pub authenticator_id: AuthenticatorId,
}
