//! Answering a challenge, and the ways in which one ends.

use std::time::Duration;

use countersign_proto::{
    challenge::{
        CancelChallengeRequest, Challenge, ChallengeStatus, CreateChallengeRequest, Proof,
        VerifyChallengeRequest,
    },
    event::{AttemptFailed, AttemptFailure},
};
use countersign_tests::{House, Phone, Tenant, instant, reason};
use tonic::Status;
use tonic_types::StatusExt as _;

/// A tenant with an enrolled user `ann` in a step whose code is not spent.
async fn enrolled(house: &House) -> (Tenant, Phone) {
    let tenant = house.tenant("acme").await;
    let phone = tenant.enrol("ann").await;
    house.clock.advance(Duration::from_secs(30));
    (tenant, phone)
}

async fn cancel(tenant: &Tenant, challenge: &Challenge) -> Result<Challenge, Status> {
    let request = CancelChallengeRequest {
        user_id: "ann".to_owned(),
        challenge_id: challenge.challenge_id.clone(),
        ..Default::default()
    };
    let response = tenant.platform.challenge().cancel_challenge(request).await?;
    Ok(response.into_inner().challenge.unwrap())
}

async fn status(tenant: &Tenant, challenge: &Challenge) -> ChallengeStatus {
    tenant.look("ann", challenge).await.unwrap().status()
}

/// Makes sure that even a right code is told how the challenge ended.
async fn is_closed(tenant: &Tenant, challenge: &Challenge, phone: &Phone, state: &str) {
    let code = phone.code(tenant.now());
    let closed = tenant.verify("ann", challenge, &code).await.unwrap_err();
    let info = closed.get_details_error_info().unwrap();
    assert_eq!(info.reason, "CHALLENGE_CLOSED");
    assert_eq!(info.metadata.get("state").map(String::as_str), Some(state));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_code_gives_a_proof_that_the_challenge_keeps() {
    let house = House::start().await;
    let (tenant, phone) = enrolled(&house).await;
    let challenge = tenant.challenge("ann").await;
    assert_eq!(challenge.status(), ChallengeStatus::Pending);
    assert_eq!((challenge.attempts_left, challenge.application_id.as_str()), (5, "vpn"));
    house.clock.advance(Duration::from_millis(1_500));
    let verified = tenant.verified("ann", &challenge, &phone.code(tenant.now())).await;
    let proof = verified.proof.unwrap();
    let Proof { authenticator_id, kind, acr, amr, auth_time } = &proof;
    assert_eq!((authenticator_id, kind.as_str()), (&phone.authenticator_id, "totp"));
    assert_eq!(acr, "urn:countersign:acr:aal2");
    assert_eq!(amr, &["otp"]);
    assert_eq!(instant(auth_time.as_ref().unwrap()), house.now());
    let kept = tenant.look("ann", &challenge).await.unwrap();
    assert_eq!((kept.status(), kept.proof), (ChallengeStatus::Verified, Some(proof)));
    house.clock.advance(Duration::from_secs(30));
    is_closed(&tenant, &challenge, &phone, "verified").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_read_with_the_spaces_that_apps_show() {
    let house = House::start().await;
    let (tenant, phone) = enrolled(&house).await;
    let code = phone.code(tenant.now());
    let (first, last) = code.split_at(3);
    let challenge = tenant.challenge("ann").await;
    tenant.verified("ann", &challenge, &format!(" {first} {last}")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spent_code_is_refused_on_every_other_challenge() {
    let house = House::start().await;
    let (tenant, phone) = enrolled(&house).await;
    let (first, second) = (tenant.challenge("ann").await, tenant.challenge("ann").await);
    let code = phone.code(tenant.now());
    tenant.verified("ann", &first, &code).await;
    assert_eq!(tenant.refused("ann", &second, &code).await, 4);
    let third = tenant.challenge("ann").await;
    assert_eq!(tenant.refused("ann", &third, &code).await, 4);
    let failed: Vec<AttemptFailed> = tenant.events("ann", "AttemptFailed").await;
    assert!(failed.iter().all(|failed| failed.reason() == AttemptFailure::Replayed));
    assert_eq!(failed.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_code_that_confirmed_the_enrolment_is_spent() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    let phone = tenant.enrol("ann").await;
    let challenge = tenant.challenge("ann").await;
    assert_eq!(tenant.refused("ann", &challenge, &phone.code(tenant.now())).await, 4);
    house.clock.advance(Duration::from_secs(30));
    tenant.verified("ann", &challenge, &phone.code(tenant.now())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_codes_use_a_challenge_up() {
    let house = House::start().await;
    let (tenant, phone) = enrolled(&house).await;
    let challenge = tenant.challenge("ann").await;
    let wrong = phone.wrong_code(tenant.now());
    for left in (0..5).rev() {
        assert_eq!(tenant.refused("ann", &challenge, &wrong).await, left);
        assert_eq!(tenant.look("ann", &challenge).await.unwrap().attempts_left, left);
    }
    assert_eq!(status(&tenant, &challenge).await, ChallengeStatus::Exhausted);
    is_closed(&tenant, &challenge, &phone, "exhausted").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_challenge_lapses_at_the_instant_that_was_announced() {
    let house = House::start().await;
    let (tenant, phone) = enrolled(&house).await;
    let (used, unused) = (tenant.challenge("ann").await, tenant.challenge("ann").await);
    let expires_at = instant(used.expires_at.as_ref().unwrap());
    assert_eq!(expires_at.since(house.now()), Duration::from_secs(5 * 60));
    house.clock.advance(Duration::from_micros(5 * 60 * 1_000_000 - 1));
    assert_eq!(status(&tenant, &unused).await, ChallengeStatus::Pending);
    tenant.verified("ann", &used, &phone.code(tenant.now())).await;

    house.clock.set(expires_at);
    assert_eq!(status(&tenant, &unused).await, ChallengeStatus::Expired);
    let code = phone.code(tenant.now());
    let late = tenant.verify("ann", &unused, &code).await.unwrap_err();
    assert_eq!(reason(&late), "CHALLENGE_EXPIRED");
    assert_eq!(reason(&cancel(&tenant, &unused).await.unwrap_err()), "CHALLENGE_CLOSED");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canceled_challenge_takes_no_answer() {
    let house = House::start().await;
    let (tenant, phone) = enrolled(&house).await;
    let challenge = tenant.challenge("ann").await;
    let canceled = cancel(&tenant, &challenge).await.unwrap();
    assert_eq!(canceled.status(), ChallengeStatus::Canceled);
    assert_eq!(cancel(&tenant, &challenge).await.unwrap(), canceled, "twice is the same as once");
    assert_eq!(tenant.count("ann", "ChallengeCanceled").await, 1);
    is_closed(&tenant, &challenge, &phone, "canceled").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_oldest_of_six_pending_challenges_gives_way() {
    let house = House::start().await;
    let (tenant, phone) = enrolled(&house).await;
    let mut challenges = Vec::new();
    for _ in 0..6 {
        challenges.push(tenant.challenge("ann").await);
    }
    let (oldest, others) = challenges.split_first().unwrap();
    assert_eq!(status(&tenant, oldest).await, ChallengeStatus::Superseded);
    is_closed(&tenant, oldest, &phone, "superseded").await;
    for other in others {
        assert_eq!(status(&tenant, other).await, ChallengeStatus::Pending);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_challenge_that_outlasts_many_others_keeps_its_end() {
    let house = House::start().await;
    let (tenant, phone) = enrolled(&house).await;
    let (verified, canceled) = (tenant.challenge("ann").await, tenant.challenge("ann").await);
    for _ in 0..20 {
        let other = tenant.challenge("ann").await;
        cancel(&tenant, &other).await.unwrap();
    }
    let answer = tenant.verified("ann", &verified, &phone.code(tenant.now())).await;
    let kept = tenant.look("ann", &verified).await.unwrap();
    assert_eq!((kept.status(), kept.proof), (ChallengeStatus::Verified, answer.proof));
    assert_eq!(kept.application_id, "vpn");
    let end = cancel(&tenant, &canceled).await.unwrap();
    assert_eq!(end.status(), ChallengeStatus::Canceled);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_is_asked_may_answer() {
    let house = House::start().await;
    let (tenant, first) = enrolled(&house).await;
    let second = tenant.enrol("ann").await;
    house.clock.advance(Duration::from_secs(30));
    let for_first = CreateChallengeRequest {
        user_id: "ann".to_owned(),
        authenticator_id: first.authenticator_id.clone(),
        ..Default::default()
    };
    let created = tenant.platform.challenge().create_challenge(for_first.clone()).await.unwrap();
    let challenge = created.into_inner().challenge.unwrap();
    let allowed: Vec<_> =
        challenge.allowed_authenticators.iter().map(|a| &a.authenticator_id).collect();
    assert_eq!(allowed, [&first.authenticator_id]);
    let answer = |phone: &Phone| VerifyChallengeRequest {
        user_id: "ann".to_owned(),
        challenge_id: challenge.challenge_id.clone(),
        authenticator_id: phone.authenticator_id.clone(),
        code: phone.code(tenant.now()),
        ..Default::default()
    };
    let mut service = tenant.platform.challenge();
    let stranger = service.verify_challenge(answer(&second)).await.unwrap_err();
    assert_eq!(reason(&stranger), "AUTHENTICATOR_NOT_ALLOWED");
    service.verify_challenge(answer(&first)).await.unwrap();

    let nobody = CreateChallengeRequest {
        authenticator_id: "00000000-0000-4000-8000-000000000000".to_owned(),
        ..for_first
    };
    let unknown = service.create_challenge(nobody).await.unwrap_err();
    assert_eq!(reason(&unknown), "AUTHENTICATOR_NOT_FOUND");
    let nothing = tenant.try_challenge("bob").await.unwrap_err();
    assert_eq!(reason(&nothing), "NO_USABLE_AUTHENTICATOR");
}
