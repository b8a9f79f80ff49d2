//! Words for the scenarios.

use std::collections::BTreeMap;

use countersign_core::{AuthenticatorId, Timestamp};
use countersign_crypto::Sealed;
use countersign_eventsourcing::Scenario;
use uuid::Uuid;

use super::*;

pub(super) const RIGHT: Confirmation = Confirmation::Right { consumed_factor: Some(7) };

pub(super) fn given(events: impl IntoIterator<Item = Event>) -> Scenario<UserAuthenticators> {
    Scenario::given(events)
}

pub(super) fn id(n: u8) -> AuthenticatorId {
    AuthenticatorId::new(Uuid::from_u128(u128::from(n)))
}

pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds)
}

pub(super) fn sealed(n: u8) -> Sealed {
    sealed_under(1, n)
}

/// Seals under one of the user's secrets keys.
pub(super) fn sealed_under(generation: u32, n: u8) -> Sealed {
    Sealed { key_id: format!("acme.00.{generation}").into(), ciphertext: vec![n; 3] }
}

pub(super) fn start_enrollment(n: u8) -> StartEnrollment {
    StartEnrollment {
        authenticator_id: id(n),
        kind: "totp".into(),
        display_name: sealed(n),
        user_id: sealed(0),
        record: sealed(n),
        parameters: BTreeMap::from([("digits".to_owned(), "6".to_owned())]),
        now: at(0),
        expires_at: at(600),
    }
}

pub(super) fn start(n: u8) -> Command {
    Command::StartEnrollment(start_enrollment(n))
}

pub(super) fn enrollment_started(n: u8) -> EnrollmentStarted {
    let start = start_enrollment(n);
    EnrollmentStarted {
        authenticator_id: start.authenticator_id,
        kind: start.kind,
        display_name: start.display_name,
        user_id: start.user_id,
        record: start.record,
        parameters: start.parameters,
        expires_at: start.expires_at,
        started_at: start.now,
    }
}

pub(super) fn started(n: u8) -> Event {
    Event::EnrollmentStarted(enrollment_started(n))
}

pub(super) fn confirm(n: u8, confirmation: Confirmation, seconds: i64) -> Command {
    Command::ConfirmEnrollment(ConfirmEnrollment {
        authenticator_id: id(n),
        confirmation,
        now: at(seconds),
    })
}

pub(super) fn confirmed(n: u8) -> Event {
    Event::EnrollmentConfirmed(EnrollmentConfirmed {
        authenticator_id: id(n),
        consumed_factor: Some(7),
        confirmed_at: at(10),
    })
}

pub(super) fn default_set(n: u8) -> Event {
    Event::DefaultAuthenticatorSet(DefaultAuthenticatorSet { authenticator_id: id(n) })
}

pub(super) fn attempt_failed(n: u8, attempts_left: u32) -> Event {
    Event::EnrollmentAttemptFailed(EnrollmentAttemptFailed {
        authenticator_id: id(n),
        attempts_left,
    })
}

pub(super) fn abandoned(n: u8, reason: AbandonReason) -> Event {
    Event::EnrollmentAbandoned(EnrollmentAbandoned { authenticator_id: id(n), reason })
}

pub(super) fn removed(n: u8) -> Event {
    Event::AuthenticatorRemoved(AuthenticatorRemoved {
        authenticator_id: id(n),
        reason: "replaced".to_owned(),
        removed_at: at(20),
    })
}

pub(super) fn codes_issued(n: u8, generation: u32, record: u8) -> Event {
    Event::RecoveryCodesIssued(RecoveryCodesIssued {
        authenticator_id: id(n),
        generation,
        record: sealed(record),
        count: 10,
        user_id: sealed(0),
        issued_at: at(5),
    })
}

/// From 5 s for an hour, once.
pub(super) fn pass() -> Pass {
    Pass { starts_at: at(5), ends_at: at(3_605), single_use: true, challenges_until: at(0) }
}

pub(super) fn issue_pass(n: u8) -> Command {
    Command::IssueTemporaryAccessPass(IssueTemporaryAccessPass {
        new_authenticator_id: id(n),
        record: sealed(n),
        pass: pass(),
        user_id: sealed(0),
        now: at(5),
    })
}

/// One of each command on an authenticator or the user, but erasing.
pub(super) fn one_of_each(n: u8) -> Vec<Command> {
    let authenticator_id = id(n);
    let text = || "for a reason".to_owned();
    vec![
        start(n + 50),
        confirm(n, RIGHT, 31),
        Command::Rename(RenameAuthenticator { authenticator_id, display_name: sealed(n) }),
        Command::SetDefault(SetDefaultAuthenticator { authenticator_id }),
        Command::Suspend(SuspendAuthenticator { authenticator_id, reason: text() }),
        Command::Reinstate(ReinstateAuthenticator { authenticator_id }),
        Command::Remove(RemoveAuthenticator { authenticator_id, reason: text(), now: at(31) }),
        Command::IssueRecoveryCodes(IssueRecoveryCodes {
            new_authenticator_id: id(n + 100),
            record: sealed(n),
            count: 10,
            user_id: sealed(0),
            now: at(31),
        }),
        issue_pass(n + 100),
        Command::PlaceUser(PlaceUser {
            placement: Placement { organisation_id: None, privileged: true },
            user_id: sealed(0),
            now: at(31),
        }),
        Command::IssueSelfServiceToken(IssueSelfServiceToken {
            token_id: countersign_core::TokenId::new(Uuid::from_u128(1)),
            now: at(31),
            expires_at: at(331),
        }),
    ]
}
