//! Many callers at once, over several connections: what is decided together is decided once.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed test says so by panicking"
)]

use std::{collections::BTreeMap, future::Future, time::Duration};

use countersign_proto::{
    admin::CreateTenantRequest,
    challenge::{
        Challenge, ChallengeStatus, CreateChallengeRequest, VerificationOutcome,
        VerifyChallengeRequest, VerifyChallengeResponse,
    },
    common::AuthenticatorStatus,
    enrollment::{
        IssueRecoveryCodesRequest, ListAuthenticatorsRequest, RemoveAuthenticatorRequest,
        StartEnrollmentRequest,
    },
};
use countersign_tests::{Caller, House, Phone, Tenant, reason};
use tokio::task::JoinSet;
use tonic::{Response, Status};

const CONNECTIONS: usize = 8;

/// A tenant with an enrolled user `ann` in a step whose code is not spent.
async fn enrolled(house: &House) -> (Tenant, Phone) {
    let tenant = house.tenant("acme").await;
    let phone = tenant.enrol("ann").await;
    house.clock.advance(Duration::from_secs(30));
    (tenant, phone)
}

/// The same caller over several connections.
async fn connections(house: &House, caller: &Caller) -> Vec<Caller> {
    let mut callers = Vec::new();
    for _ in 0..CONNECTIONS {
        callers.push(caller.over(house.connect().await));
    }
    callers
}

/// Makes `number` calls at once, spread over `callers`.
async fn at_once<T, F>(
    callers: &[Caller],
    number: usize,
    call: impl Fn(Caller, usize) -> F,
) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let mut calls = JoinSet::new();
    for (index, caller) in callers.iter().cycle().take(number).enumerate() {
        calls.spawn(call(caller.clone(), index));
    }
    calls.join_all().await
}

/// Gives `number` answers at once, spread over `challenges`.
async fn answer(
    house: &House,
    tenant: &Tenant,
    challenges: &[Challenge],
    code: &str,
    number: usize,
) -> Tally {
    let callers = connections(house, &tenant.platform).await;
    let answers = at_once(&callers, number, |caller, index| {
        let request = VerifyChallengeRequest {
            user_id: "ann".to_owned(),
            challenge_id: challenges[index % challenges.len()].challenge_id.clone(),
            code: code.to_owned(),
            ..Default::default()
        };
        async move { caller.challenge().verify_challenge(request).await }
    });
    Tally::of(answers.await)
}

/// How often each answer was given.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    verified: usize,
    refused: usize,
    errors: BTreeMap<String, usize>,
}

impl Tally {
    fn of(answers: Vec<Result<Response<VerifyChallengeResponse>, Status>>) -> Self {
        let mut tally = Self::default();
        for answer in answers {
            match answer.map(|answer| answer.get_ref().outcome()) {
                Ok(VerificationOutcome::Verified) => tally.verified += 1,
                Ok(VerificationOutcome::Refused) => tally.refused += 1,
                Ok(VerificationOutcome::Unspecified) => panic!("an answer says how it ended"),
                Err(status) => *tally.errors.entry(reason(&status)).or_default() += 1,
            }
        }
        tally
    }

    fn errors<const N: usize>(reasons: [(&str, usize); N]) -> BTreeMap<String, usize> {
        reasons.map(|(reason, times)| (reason.to_owned(), times)).into()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_thousand_equal_right_codes_exactly_one_succeeds() {
    let house = House::start().await;
    let (tenant, phone) = enrolled(&house).await;
    let challenge = tenant.challenge("ann").await;
    let code = phone.code(tenant.now());
    let tally = answer(&house, &tenant, &[challenge], &code, 1_000).await;
    let errors = Tally::errors([("CHALLENGE_CLOSED", 999)]);
    assert_eq!(tally, Tally { verified: 1, refused: 0, errors });
    assert_eq!(tenant.count("ann", "ChallengeVerified").await, 1);
    assert_eq!(tenant.count("ann", "AttemptFailed").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_code_succeeds_once_among_all_challenges_of_the_user() {
    let house = House::start().await;
    let (tenant, phone) = enrolled(&house).await;
    let mut challenges = Vec::new();
    for _ in 0..5 {
        challenges.push(tenant.challenge("ann").await);
    }
    let code = phone.code(tenant.now());
    let tally = answer(&house, &tenant, &challenges, &code, 1_000).await;
    // On the others it is a replay, and replays are failures: they end in a pause as wrong codes do.
    assert_eq!((tally.verified, tally.refused), (1, 5));
    assert_eq!(tally.errors.values().sum::<usize>(), 994);
    assert!(tally.errors.keys().all(|key| key == "CHALLENGE_CLOSED" || key == "THROTTLED"));
    assert_eq!(tenant.count("ann", "ChallengeVerified").await, 1);
    assert_eq!(tenant.count("ann", "AttemptFailed").await, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_wrong_codes_cost_a_challenge_its_attempts_and_not_one_more() {
    let house = House::start().await;
    let (tenant, phone) = enrolled(&house).await;
    let challenge = tenant.challenge("ann").await;
    let wrong = phone.wrong_code(tenant.now());
    let tally = answer(&house, &tenant, std::slice::from_ref(&challenge), &wrong, 1_000).await;
    let errors = Tally::errors([("CHALLENGE_CLOSED", 995)]);
    assert_eq!(tally, Tally { verified: 0, refused: 5, errors });
    assert_eq!(tenant.count("ann", "AttemptFailed").await, 5);
    assert_eq!(tenant.count("ann", "ChallengeExhausted").await, 1);
    let end = tenant.look("ann", &challenge).await.unwrap();
    assert_eq!((end.status(), end.attempts_left), (ChallengeStatus::Exhausted, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_over_many_challenges_never_exceed_the_free_attempts() {
    let house = House::start().await;
    let (tenant, phone) = enrolled(&house).await;
    let mut challenges = Vec::new();
    for _ in 0..5 {
        challenges.push(tenant.challenge("ann").await);
    }
    let wrong = phone.wrong_code(tenant.now());
    let tally = answer(&house, &tenant, &challenges, &wrong, 1_000).await;
    assert_eq!((tally.verified, tally.refused), (0, 5));
    assert_eq!(tenant.count("ann", "AttemptFailed").await, 5);
    assert_eq!(tenant.count("ann", "AuthenticatorThrottled").await, 1);
    // After each pause one guess more, however many come at once.
    for (pause, failures) in [(30, 6), (60, 7), (120, 8)] {
        house.clock.advance(Duration::from_secs(pause));
        let wrong = phone.wrong_code(tenant.now());
        let challenges = [tenant.challenge("ann").await, tenant.challenge("ann").await];
        let tally = answer(&house, &tenant, &challenges, &wrong, 100).await;
        assert_eq!((tally.refused, tally.errors), (1, Tally::errors([("THROTTLED", 99)])));
        assert_eq!(tenant.count("ann", "AttemptFailed").await, failures);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn repeats_of_one_request_at_once_are_one_request() {
    let house = House::start().await;
    let (tenant, phone) = enrolled(&house).await;
    let callers = connections(&house, &tenant.platform).await;

    let create = CreateChallengeRequest {
        request_id: "create".to_owned(),
        user_id: "ann".to_owned(),
        ..Default::default()
    };
    let created = at_once(&callers, 200, |caller, _| {
        let create = create.clone();
        async move { caller.challenge().create_challenge(create).await.unwrap().into_inner() }
    });
    let mut created = created.await;
    created.dedup();
    assert_eq!(created.len(), 1);
    assert_eq!(tenant.count("ann", "ChallengeIssued").await, 1);
    let challenge = created.pop().unwrap().challenge.unwrap();

    let now = tenant.now();
    let attempts = [
        ("wrong", phone.wrong_code(now), "AttemptFailed"),
        ("right", phone.code(now), "ChallengeVerified"),
    ];
    for (request_id, code, event) in attempts {
        let verify = VerifyChallengeRequest {
            request_id: request_id.to_owned(),
            user_id: "ann".to_owned(),
            challenge_id: challenge.challenge_id.clone(),
            code,
            with_assertion: true,
            ..Default::default()
        };
        let answers = at_once(&callers, 200, |caller, _| {
            let verify = verify.clone();
            async move { caller.challenge().verify_challenge(verify).await.unwrap().into_inner() }
        });
        let mut answers = answers.await;
        for answer in &mut answers {
            // ECDSA draws a fresh signature each time, over the same claims.
            answer.assertion = answer.assertion.rsplit_once('.').map_or("", |(s, _)| s).to_owned();
        }
        answers.dedup();
        assert_eq!(answers.len(), 1, "{request_id}");
        assert_eq!(tenant.count("ann", event).await, 1, "{request_id}");
    }
}

async fn statuses(tenant: &Tenant) -> Vec<(String, AuthenticatorStatus)> {
    let request = ListAuthenticatorsRequest {
        user_id: "ann".to_owned(),
        include_removed: true,
        page_size: 100,
        ..Default::default()
    };
    let listed = tenant.platform.enrollment().list_authenticators(request).await.unwrap();
    let listed = listed.into_inner().authenticators.into_iter();
    listed.map(|a| (a.kind.clone(), a.status())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn enrolments_codes_and_removals_of_one_user_at_once_leave_one_clear_state() {
    let house = House::start().await;
    let (tenant, phone) = enrolled(&house).await;
    let callers = connections(&house, &tenant.platform).await;
    let outcomes = at_once(&callers, 48, |caller, index| {
        let (user_id, authenticator_id) = ("ann".to_owned(), phone.authenticator_id.clone());
        async move {
            let mut service = caller.enrollment();
            match index % 12 {
                0 => {
                    let request = IssueRecoveryCodesRequest { user_id, ..Default::default() };
                    service.issue_recovery_codes(request).await.map(drop)
                }
                index if index % 2 == 0 => {
                    let kind = "totp".to_owned();
                    let request = StartEnrollmentRequest { user_id, kind, ..Default::default() };
                    service.start_enrollment(request).await.map(drop)
                }
                _ => {
                    let request = RemoveAuthenticatorRequest {
                        user_id,
                        authenticator_id,
                        ..Default::default()
                    };
                    service.remove_authenticator(request).await.map(drop)
                }
            }
        }
    });
    for outcome in outcomes.await {
        outcome.unwrap();
    }
    let mut statuses = statuses(&tenant).await;
    statuses.sort();
    let expected = [
        ("recovery_code", AuthenticatorStatus::Active),
        ("totp", AuthenticatorStatus::Pending),
        ("totp", AuthenticatorStatus::Removed),
    ];
    assert_eq!(statuses, expected.map(|(kind, status)| (kind.to_owned(), status)));
    assert_eq!(tenant.count("ann", "AuthenticatorRemoved").await, 1);
    assert_eq!(tenant.count("ann", "RecoveryCodesIssued").await, 4);
    // The first enrolment is that of the phone; of the others each gave way to the next.
    assert_eq!(tenant.count("ann", "EnrollmentStarted").await, 1 + 20);
    assert_eq!(tenant.count("ann", "EnrollmentAbandoned").await, 19);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_is_created_once_however_many_ask_at_once() {
    let house = House::start().await;
    let callers = connections(&house, &house.operator()).await;
    let outcomes = at_once(&callers, 64, |caller, index| async move {
        let request = CreateTenantRequest {
            tenant_id: "acme".to_owned(),
            display_name: format!("Acme {index}"),
            ..Default::default()
        };
        caller.admin().create_tenant(request).await
    });
    let (created, refused): (Vec<_>, Vec<_>) = outcomes.await.into_iter().partition(Result::is_ok);
    assert_eq!((created.len(), refused.len()), (1, 63));
    assert!(refused.iter().all(|r| reason(r.as_ref().unwrap_err()) == "TENANT_EXISTS"));
}
