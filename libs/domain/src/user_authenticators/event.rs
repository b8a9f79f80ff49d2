//! What can happen to a user's authenticators.

use std::collections::BTreeMap;

use countersign_core::{AuthenticatorId, Timestamp, TokenId};
use countersign_crypto::Sealed;
use serde::{Deserialize, Serialize};

use super::{Pass, Placement};

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// See [`EnrollmentStarted`].
    EnrollmentStarted(EnrollmentStarted),
    /// See [`EnrollmentConfirmed`].
    EnrollmentConfirmed(EnrollmentConfirmed),
    /// See [`EnrollmentAttemptFailed`].
    EnrollmentAttemptFailed(EnrollmentAttemptFailed),
    /// See [`EnrollmentAbandoned`].
    EnrollmentAbandoned(EnrollmentAbandoned),
    /// See [`AuthenticatorRenamed`].
    AuthenticatorRenamed(AuthenticatorRenamed),
    /// See [`DefaultAuthenticatorSet`].
    DefaultAuthenticatorSet(DefaultAuthenticatorSet),
    /// See [`AuthenticatorSuspended`].
    AuthenticatorSuspended(AuthenticatorSuspended),
    /// See [`AuthenticatorReinstated`].
    AuthenticatorReinstated(AuthenticatorReinstated),
    /// See [`AuthenticatorRemoved`].
    AuthenticatorRemoved(AuthenticatorRemoved),
    /// See [`RecoveryCodesIssued`].
    RecoveryCodesIssued(RecoveryCodesIssued),
    /// See [`TemporaryAccessPassIssued`].
    TemporaryAccessPassIssued(TemporaryAccessPassIssued),
    /// See [`UserPlaced`].
    UserPlaced(UserPlaced),
    /// See [`SelfServiceTokenIssued`].
    SelfServiceTokenIssued(SelfServiceTokenIssued),
    /// See [`SecretsResealed`].
    SecretsResealed(SecretsResealed),
    /// See [`UserErased`].
    UserErased(UserErased),
}

/// Enrolment of an authenticator began.
#[derive(Clone, Debug, PartialEq)]
pub struct EnrollmentStarted {
    /// The authenticator.
    pub authenticator_id: AuthenticatorId,
    /// Its kind.
    pub kind: Box<str>,
    /// What the user calls it.
    pub display_name: Sealed,
    /// The platform's own id of the user.
    pub user_id: Sealed,
    /// What the factor keeps, secrets among it.
    pub record: Sealed,
    /// What may be told about the set-up.
    pub parameters: BTreeMap<String, String>,
    /// When the enrolment lapses.
    pub expires_at: Timestamp,
    /// When it began.
    pub started_at: Timestamp,
}

/// The user proved to hold the authenticator.
#[derive(Clone, Debug, PartialEq)]
pub struct EnrollmentConfirmed {
    /// The authenticator.
    pub authenticator_id: AuthenticatorId,
    /// The moving factor of the code that proved it.
    pub consumed_factor: Option<u64>,
    /// When.
    pub confirmed_at: Timestamp,
}

/// A wrong code was given for a pending enrolment.
#[derive(Clone, Debug, PartialEq)]
pub struct EnrollmentAttemptFailed {
    /// The authenticator.
    pub authenticator_id: AuthenticatorId,
    /// Attempts left before it is abandoned.
    pub attempts_left: u32,
}

/// Why an enrolment ended without an authenticator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AbandonReason {
    /// Its time ran out.
    Expired,
    /// A newer enrolment of the same kind took its place.
    Superseded,
    /// Too many wrong codes.
    AttemptsExhausted,
}

/// A pending enrolment ended.
#[derive(Clone, Debug, PartialEq)]
pub struct EnrollmentAbandoned {
    /// The authenticator.
    pub authenticator_id: AuthenticatorId,
    /// Why.
    pub reason: AbandonReason,
}

/// The user's name for an authenticator changed.
#[derive(Clone, Debug, PartialEq)]
pub struct AuthenticatorRenamed {
    /// The authenticator.
    pub authenticator_id: AuthenticatorId,
    /// What the user calls it now.
    pub display_name: Sealed,
}

/// Challenges now prefer this authenticator.
#[derive(Clone, Debug, PartialEq)]
pub struct DefaultAuthenticatorSet {
    /// The authenticator.
    pub authenticator_id: AuthenticatorId,
}

/// An administrator set an authenticator aside.
#[derive(Clone, Debug, PartialEq)]
pub struct AuthenticatorSuspended {
    /// The authenticator.
    pub authenticator_id: AuthenticatorId,
    /// Why.
    pub reason: String,
}

/// A suspended authenticator was taken back into service.
#[derive(Clone, Debug, PartialEq)]
pub struct AuthenticatorReinstated {
    /// The authenticator.
    pub authenticator_id: AuthenticatorId,
}

/// An authenticator was removed for good.
#[derive(Clone, Debug, PartialEq)]
pub struct AuthenticatorRemoved {
    /// The authenticator.
    pub authenticator_id: AuthenticatorId,
    /// Why.
    pub reason: String,
    /// When.
    pub removed_at: Timestamp,
}

/// A set of recovery codes was issued; an earlier generation stopped working.
#[derive(Clone, Debug, PartialEq)]
pub struct RecoveryCodesIssued {
    /// The set's authenticator.
    pub authenticator_id: AuthenticatorId,
    /// Which set, from 1.
    pub generation: u32,
    /// Memory-hard hashes of the codes.
    pub record: Sealed,
    /// How many codes.
    pub count: u32,
    /// The platform's own id of the user.
    pub user_id: Sealed,
    /// When.
    pub issued_at: Timestamp,
}

/// A temporary access pass was issued; an earlier generation stopped working.
#[derive(Clone, Debug, PartialEq)]
pub struct TemporaryAccessPassIssued {
    /// The pass's authenticator.
    pub authenticator_id: AuthenticatorId,
    /// Which pass, from 1.
    pub generation: u32,
    /// A memory-hard hash of the code, and when it opens.
    pub record: Sealed,
    /// When it opens, and how often.
    pub pass: Pass,
    /// The platform's own id of the user.
    pub user_id: Sealed,
    /// When.
    pub issued_at: Timestamp,
}

/// The user was placed in an organisation or taken out of one, or gained or lost privilege.
#[derive(Clone, Debug, PartialEq)]
pub struct UserPlaced {
    /// Where the user is from now on.
    pub placement: Placement,
    /// The platform's own id of the user.
    pub user_id: Sealed,
    /// When.
    pub placed_at: Timestamp,
}

/// A token was made with which the user looks after their own authenticators.
#[derive(Clone, Debug, PartialEq)]
pub struct SelfServiceTokenIssued {
    /// Names the token.
    pub token_id: TokenId,
    /// When.
    pub issued_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// The user's secrets were sealed anew under a fresh key; the key before it is destroyed after this.
#[derive(Clone, Debug, PartialEq)]
pub struct SecretsResealed {
    /// Which rotation of the installation's secrets it was done for.
    pub rotation: u32,
    /// Which secrets key of the user they are under from now on.
    pub generation: u32,
    /// What each factor keeps, by authenticator: all that the user has.
    pub records: Vec<(AuthenticatorId, Sealed)>,
    /// When.
    pub resealed_at: Timestamp,
}

/// The user was erased: their data key is destroyed. Nothing follows.
#[derive(Clone, Debug, PartialEq)]
pub struct UserErased {
    /// When.
    pub erased_at: Timestamp,
    /// Why. Never personal data.
    pub reason: String,
}
