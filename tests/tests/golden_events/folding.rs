//! Golden events in a log, folded and gone on from.

use std::sync::Arc;

use countersign_core::{AuthenticatorId, ChallengeId, TenantId, Timestamp};
use countersign_domain::{
    throttle::ThrottlePolicy,
    user_challenges::{Answer, Command, Event, Judgement, UserChallenges},
};
use countersign_eventlog::memory::MemoryLog;
use countersign_eventsourcing::{
    Decider as _, EventLog as _, Executor, ExpectedRevision, Metadata, NewEvent, NoSnapshots,
    Request, StreamId,
};
use uuid::Uuid;

use crate::{Golden, directory, read};

fn golden(name: &str) -> Golden {
    read(&directory().join(name))
}

fn metadata(command: u128) -> Metadata {
    Metadata {
        recorded_at: Timestamp::from_unix_seconds(1_767_225_601),
        correlation_id: Uuid::from_u128(command),
        causation_id: Uuid::from_u128(command),
        requester: "api-key:acme.writer".into(),
        traceparent: "".into(),
        request_digest: 0,
    }
}

fn stored(number: u128, golden: &Golden) -> NewEvent {
    NewEvent {
        id: Uuid::from_u128(number),
        event_type: golden.event_type.clone().into(),
        schema_version: golden.schema_version,
        payload: golden.payload(),
        metadata: metadata(number),
    }
}

#[tokio::test]
async fn a_failure_recorded_before_events_said_why_still_counts() {
    let log = Arc::new(MemoryLog::default());
    let tenant = TenantId::parse("acme").unwrap();
    let stream = StreamId::new(UserChallenges::CATEGORY, &tenant, "0a").unwrap();
    let old = golden("AttemptFailed.v1.json");
    assert_eq!(old.schema_version, 1);
    let history = [golden("ChallengeIssued.v1.json"), old, golden("AttemptFailed.v2.json")];
    let events: Vec<_> = (1..).zip(&history).map(|(n, golden)| stored(n, golden)).collect();
    log.append(&stream, ExpectedRevision::NoStream, &events[..2]).await.unwrap();

    let challenges =
        Executor::<UserChallenges>::new(Arc::clone(&log) as _, Arc::new(NoSnapshots), 16);
    let id = |field: &str| history[1].view[field].as_str().unwrap().to_owned();
    let authenticator_id = AuthenticatorId::parse(&id("authenticatorId")).unwrap();
    let challenge_id = ChallengeId::parse(&id("challengeId")).unwrap();
    let counted = async || {
        let state = challenges.load(&stream).await.unwrap().state.clone();
        let failures = state.ledger(authenticator_id).unwrap().consecutive_failures;
        (state.find(challenge_id).unwrap().attempts_left, failures)
    };
    assert_eq!(counted().await, (4, 1));

    // One of today's comes after it.
    let last = ExpectedRevision::Exact(countersign_eventsourcing::Revision(1));
    log.append(&stream, last, &events[2..]).await.unwrap();
    assert_eq!(counted().await, (3, 2));

    // And the next answer is decided by what all of them say.
    let answer = Answer {
        challenge_id,
        authenticator_id,
        kind: "totp".into(),
        judgement: Judgement::Wrong,
        spent_at_enrollment: None,
        throttle: ThrottlePolicy::ONE_TIME_PASSWORD,
        acr: "".into(),
        amr: Vec::new(),
        source: None,
        now: Timestamp::from_unix_seconds(1_767_225_602),
    };
    let request = Request { command_id: Uuid::from_u128(9), metadata: metadata(9) };
    let executed = challenges.execute(&stream, &request, Command::Answer(answer)).await.unwrap();
    let [Event::AttemptFailed(failed)] = &executed.events[..] else {
        panic!("a wrong answer is one failed attempt, not {:?}", executed.events)
    };
    assert_eq!((failed.attempts_left, failed.consecutive_failures), (2, 3));
}
