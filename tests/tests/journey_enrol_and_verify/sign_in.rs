//! Whether a sign-in needs more proof.

use countersign_proto::{
    admin::{CreateApplicationRequest, FactorSettings},
    common::MfaRequirement,
    enrollment::SuspendAuthenticatorRequest,
    policy::{EvaluateSignInRequest, EvaluateSignInResponse, SignInDecision},
};
use countersign_tests::{House, Tenant, reason};
use tonic::Status;

const AAL2: &str = "urn:countersign:acr:aal2";

async fn evaluate(
    tenant: &Tenant,
    user: &str,
    application: &str,
) -> Result<EvaluateSignInResponse, Status> {
    let request = EvaluateSignInRequest {
        user_id: user.to_owned(),
        application_id: application.to_owned(),
        ..Default::default()
    };
    tenant.platform.policy().evaluate_sign_in(request).await.map(tonic::Response::into_inner)
}

async fn decided(tenant: &Tenant, user: &str, application: &str) -> SignInDecision {
    evaluate(tenant, user, application).await.unwrap().decision()
}

async fn create_application(tenant: &Tenant, id: &str, requirement: MfaRequirement) {
    let request = CreateApplicationRequest {
        application_id: id.to_owned(),
        display_name: id.to_owned(),
        mfa_requirement: requirement.into(),
        ..Default::default()
    };
    tenant.admin.admin().create_application(request).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_is_sent_to_enrol_first_and_challenged_after() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    let before = evaluate(&tenant, "ann", "vpn").await.unwrap();
    assert_eq!(before.decision(), SignInDecision::Enroll);
    assert_eq!((before.required_acr.as_str(), before.usable_authenticators.len()), (AAL2, 0));

    let (_, pending) = tenant.start_enrollment("ann").await;
    assert_eq!(decided(&tenant, "ann", "vpn").await, SignInDecision::Enroll);

    tenant.confirm("ann", &pending, &pending.code(tenant.now())).await.unwrap();
    let after = evaluate(&tenant, "ann", "vpn").await.unwrap();
    assert_eq!(after.decision(), SignInDecision::Challenge);
    assert_eq!(after.required_acr, AAL2);
    let usable: Vec<_> = after.usable_authenticators.iter().collect();
    assert_eq!(usable.len(), 1);
    assert_eq!(usable.first().unwrap().authenticator_id, pending.authenticator_id);
    assert_ne!(after.sign_in_id, before.sign_in_id);
    assert_eq!(tenant.count("ann", "SignInEvaluated").await, 3, "each evaluation is an event");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tenant_says_when_the_first_factor_is_enough() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    tenant.enrol("ann").await;
    tenant.require("", MfaRequirement::Never).await;
    let sufficient = evaluate(&tenant, "ann", "vpn").await.unwrap();
    assert_eq!(sufficient.decision(), SignInDecision::Sufficient);
    assert_eq!(sufficient.required_acr, "");
    let rules: Vec<_> = sufficient.trace.iter().map(|traced| traced.rule.as_str()).collect();
    assert_eq!(rules, ["tenant-never"]);
    assert_eq!(decided(&tenant, "nobody", "").await, SignInDecision::Sufficient);

    tenant.require("", MfaRequirement::Always).await;
    assert_eq!(decided(&tenant, "ann", "vpn").await, SignInDecision::Challenge);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_application_says_if_the_tenant_leaves_it_to_them() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    tenant.enrol("ann").await;
    create_application(&tenant, "wiki", MfaRequirement::Never).await;
    create_application(&tenant, "payroll", MfaRequirement::Always).await;
    assert_eq!(decided(&tenant, "ann", "wiki").await, SignInDecision::Challenge, "tenant: always");

    tenant.require("", MfaRequirement::PerApplication).await;
    assert_eq!(decided(&tenant, "ann", "wiki").await, SignInDecision::Sufficient);
    assert_eq!(decided(&tenant, "ann", "payroll").await, SignInDecision::Challenge);
    assert_eq!(decided(&tenant, "ann", "vpn").await, SignInDecision::Challenge, "says nothing");
    assert_eq!(decided(&tenant, "ann", "").await, SignInDecision::Challenge, "none named");
    assert_eq!(decided(&tenant, "nobody", "payroll").await, SignInDecision::Enroll);

    tenant.require("payroll", MfaRequirement::Never).await;
    assert_eq!(decided(&tenant, "ann", "payroll").await, SignInDecision::Sufficient);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_application_is_named_as_the_fault() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    tenant.enrol("ann").await;
    let unknown = evaluate(&tenant, "ann", "intranet").await.unwrap_err();
    assert_eq!(reason(&unknown), "APPLICATION_NOT_FOUND");
    assert_eq!(tenant.count("ann", "SignInEvaluated").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_suspended_or_out_of_use_cannot_answer() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    let phone = tenant.enrol("ann").await;
    let disabled = FactorSettings { kind: "totp".to_owned(), disabled: true, ..Default::default() };
    tenant.set_factor(disabled.clone()).await;
    assert_eq!(decided(&tenant, "ann", "vpn").await, SignInDecision::Enroll);
    tenant.set_factor(FactorSettings { disabled: false, ..disabled }).await;
    assert_eq!(decided(&tenant, "ann", "vpn").await, SignInDecision::Challenge);

    let suspend = SuspendAuthenticatorRequest {
        user_id: "ann".to_owned(),
        authenticator_id: phone.authenticator_id,
        ..Default::default()
    };
    tenant.admin.enrollment().suspend_authenticator(suspend).await.unwrap();
    assert_eq!(decided(&tenant, "ann", "vpn").await, SignInDecision::Enroll);
}
