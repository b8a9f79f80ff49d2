//! What must be true after faults: what was acknowledged stays, what was accepted once is not accepted again, and whoever
//! got no answer repeats the request and gets one.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::Arc,
};

use countersign_proto::{
    challenge::{
        ChallengeStatus, CreateChallengeRequest, CreateChallengeResponse, GetChallengeRequest,
        VerificationOutcome, VerifyChallengeRequest, VerifyChallengeResponse,
    },
    common::AuthenticatorStatus,
    enrollment::{ConfirmationOutcome, ListAuthenticatorsRequest, StartEnrollmentResponse},
    event::{ChallengeVerified, challenge_verified::Consumed},
};
use tokio::task::JoinSet;

use crate::{
    Tenant,
    load::{Enrolled, Lost, Noted, Verified},
};

/// Checks all that the platforms of one round were told, and returns every verification that there must be.
pub async fn settle(tenant: &Tenant, noted: Noted) -> Vec<Verified> {
    let Noted { enrolled, verified, lost, repeats: _ } = noted;
    let last: HashMap<_, _> = verified
        .iter()
        .map(|verified| (verified.request.user_id.clone(), verified.clone()))
        .collect();
    let mut checks = JoinSet::new();
    for one in verified.clone() {
        checks.spawn(assert_verified(tenant.clone(), one));
    }
    let settled = lost.into_iter().map(|lost| repeat(tenant, lost));
    let mut found = verified;
    for settled in settled.collect::<Vec<_>>() {
        found.extend(settled.await);
    }
    while let Some(checked) = checks.join_next().await {
        checked.unwrap();
    }
    for one in enrolled {
        let last = last.get(&one.user).cloned();
        checks.spawn(assert_enrolled(tenant.clone(), one, last));
    }
    while let Some(checked) = checks.join_next().await {
        checked.unwrap();
    }
    found
}

/// An acknowledged verification is there, and a repeat is told the same.
async fn assert_verified(tenant: Tenant, Verified { request, response }: Verified) {
    let again = verify(&tenant, request.clone()).await;
    assert_eq!(again.proof, response.proof);
    assert_eq!(again.outcome(), VerificationOutcome::Verified);
    let asked = GetChallengeRequest {
        user_id: request.user_id.clone(),
        challenge_id: request.challenge_id.clone(),
    };
    let got = tenant.platform.challenge().get_challenge(asked).await.unwrap();
    let challenge = got.into_inner().challenge.unwrap();
    assert_eq!(challenge.status(), ChallengeStatus::Verified);
    assert_eq!(challenge.proof, response.proof);
}

/// An acknowledged enrolment is there, its last accepted code is not accepted again, and a fresh one is.
async fn assert_enrolled(
    tenant: Tenant,
    Enrolled { user, phone, fresh }: Enrolled,
    last: Option<Verified>,
) {
    let request = ListAuthenticatorsRequest { user_id: user.clone(), ..Default::default() };
    let listed = tenant.platform.enrollment().list_authenticators(request).await.unwrap();
    let listed = listed.into_inner().authenticators;
    let [authenticator] = &listed[..] else { panic!("user {user} has {listed:?}") };
    assert_eq!(authenticator.authenticator_id, phone.authenticator_id);
    assert_eq!(authenticator.status(), AuthenticatorStatus::Active);
    let challenge = tenant.challenge(&user).await;
    if let Some(last) = last {
        let spent = tenant.verify(&user, &challenge, &last.request.code).await.unwrap();
        assert_eq!(spent.outcome(), VerificationOutcome::Refused, "twice: {last:?}");
    }
    let proved = tenant.verify(&user, &challenge, &phone.code(fresh)).await.unwrap();
    assert_eq!(proved.outcome(), VerificationOutcome::Verified, "user {user}");
}

/// Repeats a request whose answer was lost, twice: both answers are the same, and it was carried out once. Returns the
/// verification, if it was one.
async fn repeat(tenant: &Tenant, lost: Lost) -> Option<Verified> {
    let (mut enrollment, mut challenge) =
        (tenant.platform.enrollment(), tenant.platform.challenge());
    match lost {
        Lost::Start(request) => {
            let first = enrollment.start_enrollment(request.clone()).await.unwrap().into_inner();
            let second = enrollment.start_enrollment(request).await.unwrap().into_inner();
            let told = |response: StartEnrollmentResponse| {
                (response.provisioning, response.authenticator.unwrap().authenticator_id)
            };
            assert_same(&told(first), &told(second));
            None
        }
        Lost::Confirm(request) => {
            let first = enrollment.confirm_enrollment(request.clone()).await.unwrap().into_inner();
            assert_eq!(first.outcome(), ConfirmationOutcome::Confirmed);
            let second = enrollment.confirm_enrollment(request).await.unwrap().into_inner();
            assert_same(&first, &second);
            None
        }
        Lost::Challenge(request) => {
            let first = open(tenant, request.clone()).await;
            let second = challenge.create_challenge(request).await.unwrap().into_inner();
            assert_same(&first, &second);
            None
        }
        Lost::Verify(request) => {
            let first = verify(tenant, request.clone()).await;
            assert_eq!(first.outcome(), VerificationOutcome::Verified, "{request:?}");
            assert_same(&first.proof, &verify(tenant, request.clone()).await.proof);
            Some(Verified { request, response: first })
        }
    }
}

fn assert_same<T: PartialEq + fmt::Debug>(first: &T, second: &T) {
    assert_eq!(first, second, "two answers to one request");
}

async fn open(tenant: &Tenant, request: CreateChallengeRequest) -> CreateChallengeResponse {
    tenant.platform.challenge().create_challenge(request).await.unwrap().into_inner()
}

async fn verify(tenant: &Tenant, request: VerifyChallengeRequest) -> VerifyChallengeResponse {
    tenant.platform.challenge().verify_challenge(request).await.unwrap().into_inner()
}

/// Every verification is in the log once, and no code was accepted for two of them, whether anybody was told or not.
pub fn assert_log_holds_once(stored: Vec<ChallengeVerified>, acknowledged: &[Verified]) {
    let mut challenges = HashSet::new();
    let mut spent = HashSet::new();
    for verified in stored {
        let Some(Consumed::MovingFactor(step)) = verified.consumed else {
            panic!("a TOTP code uses up a step: {verified:?}")
        };
        let authenticator = Arc::<str>::from(&*verified.authenticator_id);
        assert!(spent.insert((authenticator, step)), "accepted twice: {verified:?}");
        assert!(challenges.insert(verified.challenge_id), "verified twice");
    }
    for Verified { request, .. } in acknowledged {
        assert!(challenges.contains(&request.challenge_id), "lost: {request:?}");
    }
}
