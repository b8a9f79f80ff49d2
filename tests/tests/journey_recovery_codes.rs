//! Recovery codes: a set on paper for the day when the phone is lost.

#![expect(clippy::unwrap_used, reason = "a failed test says so by panicking")]

use std::time::Duration;

use countersign_proto::{
    admin::{FactorSettings, ThrottleSettings},
    challenge::{VerificationOutcome, VerifyChallengeResponse},
    common::{Authenticator, AuthenticatorStatus},
    enrollment::{
        ConfirmEnrollmentRequest, IssueRecoveryCodesRequest, ListAuthenticatorsRequest,
        StartEnrollmentRequest,
    },
    event::{AttemptFailed, AttemptFailure},
};
use countersign_tests::{House, Tenant, reason};

/// Answers a fresh challenge.
async fn answer(tenant: &Tenant, user: &str, code: &str) -> VerifyChallengeResponse {
    let challenge = tenant.challenge(user).await;
    tenant.verify(user, &challenge, code).await.unwrap()
}

async fn is_verified(tenant: &Tenant, user: &str, code: &str) -> bool {
    answer(tenant, user, code).await.outcome() == VerificationOutcome::Verified
}

/// Returns the set of `user`.
async fn set(tenant: &Tenant, user: &str) -> Authenticator {
    let request = ListAuthenticatorsRequest { user_id: user.to_owned(), ..Default::default() };
    let listed = tenant.platform.enrollment().list_authenticators(request).await.unwrap();
    let mut listed = listed.into_inner().authenticators.into_iter();
    listed.find(|authenticator| authenticator.kind == "recovery_code").unwrap()
}

fn settings(count: u32, low: u32) -> FactorSettings {
    FactorSettings {
        kind: "recovery_code".to_owned(),
        recovery_code_count: count,
        recovery_code_low: low,
        ..Default::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_is_shown_once() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    let request =
        IssueRecoveryCodesRequest { request_id: "issue".to_owned(), user_id: "ann".to_owned() };
    let mut service = tenant.platform.enrollment();
    let issued = service.issue_recovery_codes(request.clone()).await.unwrap().into_inner();
    assert_eq!(issued.codes.len(), 10);
    let mut distinct = issued.codes.clone();
    distinct.sort();
    distinct.dedup();
    assert_eq!(distinct.len(), 10);
    let authenticator = issued.authenticator.unwrap();
    assert_eq!(authenticator.status(), AuthenticatorStatus::Active);
    assert_eq!(
        (authenticator.kind.as_str(), authenticator.codes_remaining),
        ("recovery_code", Some(10))
    );
    let again = service.issue_recovery_codes(request).await.unwrap_err();
    assert_eq!(reason(&again), "CODES_ALREADY_SHOWN");
    assert_eq!(tenant.history("ann").await, ["RecoveryCodesIssued"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_code_works_once_and_the_last_ones_raise_the_warning() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    tenant.set_factor(settings(5, 2)).await;
    let codes = tenant.issue_codes("ann").await;
    assert_eq!(codes.len(), 5);
    for (left, code) in (0..5).rev().zip(&codes) {
        let verified = answer(&tenant, "ann", code).await;
        assert_eq!(verified.outcome(), VerificationOutcome::Verified);
        assert_eq!(verified.recovery_codes_remaining, Some(left));
        assert_eq!(verified.recovery_codes_low, left <= 2, "{left} left");
        assert_eq!(set(&tenant, "ann").await.codes_remaining, Some(left));
        let proof = verified.proof.unwrap();
        assert_eq!(
            (proof.kind.as_str(), proof.amr.as_slice()),
            ("recovery_code", &["otp".to_owned()][..])
        );
    }
    for code in codes.iter().take(2) {
        assert!(!is_verified(&tenant, "ann", code).await);
    }
    let failed: Vec<AttemptFailed> = tenant.events("ann", "AttemptFailed").await;
    assert!(failed.iter().all(|failed| failed.reason() == AttemptFailure::Replayed));
    assert_eq!(failed.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_set_takes_the_place_of_the_old_one() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    tenant.set_factor(settings(4, 1)).await;
    let old = tenant.issue_codes("ann").await;
    let [used, unused, ..] = old.as_slice() else { panic!("a set of four") };
    assert!(is_verified(&tenant, "ann", used).await);
    let first = set(&tenant, "ann").await;
    let new = tenant.issue_codes("ann").await;
    let second = set(&tenant, "ann").await;
    assert_eq!(second.authenticator_id, first.authenticator_id, "so that failures go on counting");
    assert_eq!((first.codes_remaining, second.codes_remaining), (Some(3), Some(4)));
    assert!(!is_verified(&tenant, "ann", used).await);
    assert!(!is_verified(&tenant, "ann", unused).await);
    assert!(is_verified(&tenant, "ann", new.first().unwrap()).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_read_as_people_copy_it() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    let codes = tenant.issue_codes("ann").await;
    let ways: [fn(&str) -> String; 4] = [
        |code| code.to_lowercase(),
        |code| code.replace('-', ""),
        |code| format!(" {} ", code.replace('-', " - ")),
        |code| code.replace('0', "o").replace('1', "l"),
    ];
    for (way, code) in ways.iter().zip(&codes) {
        let copied = way(code);
        assert!(is_verified(&tenant, "ann", &copied).await, "a copied code");
        assert!(!is_verified(&tenant, "ann", code).await, "the same code as it was shown");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_of_the_phone_leave_the_codes_open_and_the_other_way_round() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    let throttle = ThrottleSettings { free_attempts: 2, ..Default::default() };
    tenant.set_factor(FactorSettings { throttle: Some(throttle), ..settings(4, 1) }).await;
    let phone = tenant.enrol("ann").await;
    let codes = tenant.issue_codes("ann").await;
    let [first, ..] = codes.as_slice() else { panic!("a set of four") };
    house.clock.advance(Duration::from_secs(30));

    let challenge = tenant.challenge("ann").await;
    for _ in 0..5 {
        tenant.refused("ann", &challenge, &phone.wrong_code(tenant.now())).await;
    }
    let challenge = tenant.challenge("ann").await;
    let code = phone.code(tenant.now());
    let throttled = tenant.verify("ann", &challenge, &code).await.unwrap_err();
    assert_eq!(reason(&throttled), "THROTTLED");
    assert!(is_verified(&tenant, "ann", first).await, "the codes are still open");

    house.clock.advance(Duration::from_secs(60));
    for _ in 0..2 {
        assert!(!is_verified(&tenant, "ann", "0000-00000-0000").await);
    }
    let challenge = tenant.challenge("ann").await;
    let throttled = tenant.verify("ann", &challenge, "0000-00000-0000").await.unwrap_err();
    assert_eq!(reason(&throttled), "THROTTLED");
    tenant.verified("ann", &challenge, &phone.code(tenant.now())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_is_neither_enrolled_nor_confirmed_as_other_factors_are() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    let codes = tenant.issue_codes("ann").await;
    let mut service = tenant.platform.enrollment();
    let start = StartEnrollmentRequest {
        user_id: "ann".to_owned(),
        kind: "recovery_code".to_owned(),
        ..Default::default()
    };
    let refused = service.start_enrollment(start).await.unwrap_err();
    assert_eq!(reason(&refused), "FACTOR_KIND_NOT_ENROLLABLE");
    let confirm = ConfirmEnrollmentRequest {
        user_id: "ann".to_owned(),
        authenticator_id: set(&tenant, "ann").await.authenticator_id,
        code: codes.first().unwrap().clone(),
        ..Default::default()
    };
    let refused = service.confirm_enrollment(confirm).await.unwrap_err();
    assert_eq!(reason(&refused), "ENROLLMENT_CLOSED");
}
