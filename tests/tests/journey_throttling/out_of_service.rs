//! Authenticators that were set aside, removed or put out of use after a challenge was opened for them.

use std::time::Duration;

use countersign_proto::{
    admin::FactorSettings,
    challenge::{Challenge, VerificationOutcome},
    enrollment::{
        ReinstateAuthenticatorRequest, RemoveAuthenticatorRequest, StartEnrollmentRequest,
        SuspendAuthenticatorRequest,
    },
};
use countersign_tests::{House, Phone, Tenant, Told, reason};

use crate::{enrolled, fail};

/// Makes sure that a right code and a wrong one are told the same: that the authenticator may not answer.
async fn may_not_answer(tenant: &Tenant, challenge: &Challenge, phone: &Phone) {
    let (right, wrong) = (phone.code(tenant.now()), phone.wrong_code(tenant.now()));
    let right = tenant.verify("ann", challenge, &right).await.unwrap_err();
    let wrong = tenant.verify("ann", challenge, &wrong).await.unwrap_err();
    assert_eq!(reason(&right), "AUTHENTICATOR_NOT_ALLOWED");
    assert_eq!(Told::by(&right), Told::by(&wrong));
    let none = tenant.try_challenge("ann").await.unwrap_err();
    assert_eq!(reason(&none), "NO_USABLE_AUTHENTICATOR");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_authenticator_answers_nothing_until_it_is_reinstated() {
    let house = House::start().await;
    let (tenant, phone) = enrolled(&house).await;
    let challenge = tenant.challenge("ann").await;
    let (user_id, authenticator_id) = ("ann".to_owned(), phone.authenticator_id.clone());
    let suspend = SuspendAuthenticatorRequest {
        user_id: user_id.clone(),
        authenticator_id: authenticator_id.clone(),
        ..Default::default()
    };
    let mut service = tenant.admin.enrollment();
    service.suspend_authenticator(suspend).await.unwrap();
    may_not_answer(&tenant, &challenge, &phone).await;
    let reinstate =
        ReinstateAuthenticatorRequest { user_id, authenticator_id, ..Default::default() };
    service.reinstate_authenticator(reinstate).await.unwrap();
    tenant.verified("ann", &challenge, &phone.code(tenant.now())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn setting_an_authenticator_aside_keeps_its_failures() {
    let house = House::start().await;
    let (tenant, phone) = enrolled(&house).await;
    fail(&tenant, &phone, 4).await;
    let (user_id, authenticator_id) = ("ann".to_owned(), phone.authenticator_id.clone());
    let suspend = SuspendAuthenticatorRequest {
        user_id: user_id.clone(),
        authenticator_id: authenticator_id.clone(),
        ..Default::default()
    };
    let mut service = tenant.admin.enrollment();
    service.suspend_authenticator(suspend).await.unwrap();
    let reinstate =
        ReinstateAuthenticatorRequest { user_id, authenticator_id, ..Default::default() };
    service.reinstate_authenticator(reinstate).await.unwrap();
    fail(&tenant, &phone, 1).await;
    assert_eq!(tenant.throttles("ann").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_authenticator_never_answers_again() {
    let house = House::start().await;
    let (tenant, phone) = enrolled(&house).await;
    let challenge = tenant.challenge("ann").await;
    let remove = RemoveAuthenticatorRequest {
        user_id: "ann".to_owned(),
        authenticator_id: phone.authenticator_id.clone(),
        reason: "lost".to_owned(),
        ..Default::default()
    };
    tenant.platform.enrollment().remove_authenticator(remove).await.unwrap();
    may_not_answer(&tenant, &challenge, &phone).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kind_out_of_use_is_neither_enrolled_nor_answered_with() {
    let house = House::start().await;
    let (tenant, phone) = enrolled(&house).await;
    let challenge = tenant.challenge("ann").await;
    let disabled = FactorSettings { kind: "totp".to_owned(), disabled: true, ..Default::default() };
    tenant.set_factor(disabled.clone()).await;
    may_not_answer(&tenant, &challenge, &phone).await;
    let start = StartEnrollmentRequest {
        user_id: "bob".to_owned(),
        kind: "totp".to_owned(),
        ..Default::default()
    };
    let refused = tenant.platform.enrollment().start_enrollment(start).await.unwrap_err();
    assert_eq!(reason(&refused), "FACTOR_KIND_DISABLED");

    tenant.set_factor(FactorSettings { disabled: false, ..disabled }).await;
    let answer = tenant.verify("ann", &challenge, &phone.code(tenant.now())).await.unwrap();
    assert_eq!(answer.outcome(), VerificationOutcome::Verified);
    house.clock.advance(Duration::from_secs(30));
    tenant.enrol("bob").await;
}
