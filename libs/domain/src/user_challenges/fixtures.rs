//! Words for the scenarios: authenticator 1 answers; every answer comes at second 10.

use countersign_core::{AuthenticatorId, ChallengeId, Timestamp};
use countersign_eventsourcing::Scenario;
use uuid::Uuid;

use super::*;
use crate::throttle::ThrottlePolicy;

pub(super) fn given(events: impl IntoIterator<Item = Event>) -> Scenario<UserChallenges> {
    Scenario::given(events)
}

pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds)
}

pub(super) fn challenge(n: u8) -> ChallengeId {
    ChallengeId::new(Uuid::from_u128(u128::from(n)))
}

pub(super) fn authenticator(n: u8) -> AuthenticatorId {
    AuthenticatorId::new(Uuid::from_u128(0xa00 + u128::from(n)))
}

pub(super) fn issue_challenge(n: u8, seconds: i64) -> IssueChallenge {
    IssueChallenge {
        challenge_id: challenge(n),
        application_id: "vpn".into(),
        allowed: vec![Allowed { authenticator_id: authenticator(1), kind: "totp".into() }],
        sign_in_id: "".into(),
        max_attempts: 5,
        now: at(seconds),
        expires_at: at(seconds + 300),
        source: None,
    }
}

pub(super) fn issue(n: u8, seconds: i64) -> Command {
    Command::Issue(issue_challenge(n, seconds))
}

pub(super) fn issued(n: u8, seconds: i64) -> Event {
    let issue = issue_challenge(n, seconds);
    Event::ChallengeIssued(ChallengeIssued {
        challenge_id: issue.challenge_id,
        application_id: issue.application_id,
        allowed: issue.allowed,
        sign_in_id: issue.sign_in_id,
        max_attempts: issue.max_attempts,
        issued_at: issue.now,
        expires_at: issue.expires_at,
        source: issue.source,
    })
}

pub(super) fn answer(n: u8, judgement: Judgement) -> Answer {
    Answer {
        challenge_id: challenge(n),
        authenticator_id: authenticator(1),
        kind: "totp".into(),
        judgement,
        spent_at_enrollment: None,
        throttle: ThrottlePolicy::ONE_TIME_PASSWORD,
        acr: "aal2".into(),
        amr: vec!["otp".to_owned()],
        source: None,
        now: at(10),
    }
}

pub(super) fn code(n: u8, factors: impl Into<Vec<u64>>) -> Command {
    Command::Answer(answer(n, Judgement::MovingFactors(factors.into())))
}

pub(super) fn wrong(n: u8) -> Command {
    Command::Answer(answer(n, Judgement::Wrong))
}

pub(super) fn recovery(n: u8, generation: u32, index: u32) -> Command {
    Command::Answer(answer(n, Judgement::Code { generation, index, count: 10, low: 3 }))
}

pub(super) fn verification(n: u8, consumed: Consumed) -> ChallengeVerified {
    ChallengeVerified {
        challenge_id: challenge(n),
        authenticator_id: authenticator(1),
        kind: "totp".into(),
        consumed,
        acr: "aal2".into(),
        amr: vec!["otp".to_owned()],
        verified_at: at(10),
        codes_remaining: None,
        codes_low: false,
        source: None,
    }
}

pub(super) fn verified(n: u8, factor: u64) -> Event {
    Event::ChallengeVerified(verification(n, Consumed::MovingFactor(factor)))
}

pub(super) fn recovered(n: u8, generation: u32, index: u32, left: u32, low: bool) -> Event {
    Event::ChallengeVerified(ChallengeVerified {
        codes_remaining: Some(left),
        codes_low: low,
        ..verification(n, Consumed::Code { generation, index })
    })
}

pub(super) fn attempt(n: u8, left: u32, failures: u32, reason: AttemptFailure) -> AttemptFailed {
    AttemptFailed {
        challenge_id: challenge(n),
        authenticator_id: authenticator(1),
        attempts_left: left,
        consecutive_failures: failures,
        reason,
        failed_at: at(10),
        source: None,
        source_failures: Some(failures),
        unproven_failures: Some(failures),
    }
}

pub(super) fn failed(n: u8, left: u32, failures: u32) -> Event {
    Event::AttemptFailed(attempt(n, left, failures, AttemptFailure::WrongCode))
}

/// A code that was right before, from where it was right.
pub(super) fn replayed(n: u8, left: u32, failures: u32) -> Event {
    let failed = attempt(n, left, failures, AttemptFailure::Replayed);
    Event::AttemptFailed(AttemptFailed { unproven_failures: None, ..failed })
}

pub(super) fn throttled(failures: u32, until: Option<i64>) -> Event {
    Event::AuthenticatorThrottled(AuthenticatorThrottled {
        authenticator_id: authenticator(1),
        consecutive_failures: failures,
        until: until.map(at),
        closed_to: match until {
            None => ClosedTo::Everyone,
            Some(_) => ClosedTo::Source { source: None, unproven: None },
        },
    })
}
