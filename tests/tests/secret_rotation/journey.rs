//! What users have works before, during and after, and nothing else does.

use std::time::Duration;

use countersign_proto::{
    admin::SetRetentionRequest,
    challenge::{VerificationOutcome, VerifyChallengeRequest},
    enrollment::{
        ConfirmEnrollmentRequest, ConfirmationOutcome, IssueTemporaryAccessPassRequest,
        StartEnrollmentRequest, start_enrollment_response::Provisioning,
    },
    event::{EnrollmentStarted, SecretsResealed},
};
use countersign_tests::{House, Tenant, reason};

use crate::{begin, is_complete, until};

async fn proves(tenant: &Tenant, user: &str, code: &str) {
    let challenge = tenant.challenge(user).await;
    tenant.verified(user, &challenge, code).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_user_has_goes_on_working() {
    let house = House::single().await;
    let (operator, tenant) = (house.operator(), house.tenant("acme").await);
    let app = tenant.enrol("ann").await;
    let codes = tenant.issue_codes("ann").await;
    let pass = tenant
        .admin
        .enrollment()
        .issue_temporary_access_pass(IssueTemporaryAccessPassRequest {
            user_id: "bob".to_owned(),
            ..Default::default()
        })
        .await
        .unwrap()
        .into_inner()
        .code;
    let starting = StartEnrollmentRequest {
        user_id: "cid".to_owned(),
        kind: "totp".to_owned(),
        request_id: "start-cid".to_owned(),
        ..Default::default()
    };
    let started = tenant.platform.enrollment().start_enrollment(starting.clone()).await;
    let started = started.unwrap().into_inner();
    // Open since before.
    let open = tenant.challenge("ann").await;

    begin(&operator, "rotate-1").await.unwrap();
    let seen = until(&operator, is_complete).await;
    assert_eq!((seen.rotation, seen.users_done, seen.users_total), (1, 3, 3));

    house.clock.advance(Duration::from_secs(30));
    tenant.verified("ann", &open, &app.code(tenant.now())).await;
    proves(&tenant, "ann", &codes[0]).await;
    proves(&tenant, "bob", &pass).await;
    // A repeat shows the same secret, which is under another key by now.
    let again = tenant.platform.enrollment().start_enrollment(starting).await.unwrap().into_inner();
    let (Some(Provisioning::Totp(totp)), Some(Provisioning::Totp(shown))) =
        (&started.provisioning, &again.provisioning)
    else {
        panic!("an enrolment of kind totp comes with what the app needs")
    };
    assert_eq!(shown.key_uri, totp.key_uri);
    let id = started.authenticator.unwrap().authenticator_id;
    let phone = countersign_tests::Phone::scan(&id, &totp.key_uri);
    let confirming = ConfirmEnrollmentRequest {
        user_id: "cid".to_owned(),
        authenticator_id: id,
        code: phone.code(tenant.now()),
        ..Default::default()
    };
    let confirmed = tenant.platform.enrollment().confirm_enrollment(confirming).await.unwrap();
    assert_eq!(confirmed.into_inner().outcome(), ConfirmationOutcome::Confirmed);

    // What is new is under the new key, and is sealed anew like the rest.
    let second = tenant.enrol("ann").await;
    begin(&operator, "rotate-2").await.unwrap();
    until(&operator, |seen| seen.rotation == 2 && is_complete(seen)).await;
    house.clock.advance(Duration::from_secs(30));
    for phone in [&app, &second] {
        let challenge = tenant.challenge("ann").await;
        let request = VerifyChallengeRequest {
            user_id: "ann".to_owned(),
            challenge_id: challenge.challenge_id,
            authenticator_id: phone.authenticator_id.clone(),
            code: phone.code(tenant.now()),
            ..Default::default()
        };
        let verified = tenant.platform.challenge().verify_challenge(request).await.unwrap();
        assert_eq!(verified.into_inner().outcome(), VerificationOutcome::Verified);
    }
    proves(&tenant, "ann", &codes[1]).await;

    let started: Vec<EnrollmentStarted> = tenant.events("ann", "EnrollmentStarted").await;
    let generations = started.iter().map(|event| &*event.record.as_ref().unwrap().key_id);
    let ends: Vec<_> = generations.map(|id| id.rsplit('.').next().unwrap().to_owned()).collect();
    assert_eq!(ends, ["1", "2"]);
    let resealed: Vec<SecretsResealed> = tenant.events("ann", "SecretsResealed").await;
    let told: Vec<_> = resealed
        .iter()
        .map(|event| (event.rotation, event.generation, event.records.len()))
        .collect();
    assert_eq!(told, [(1, 2, 2), (2, 3, 3)]);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_is_asked_for_once_and_by_an_operator() {
    let house = House::single().await;
    let (operator, tenant) = (house.operator(), house.tenant("acme").await);
    tenant.enrol("ann").await;
    let first = begin(&operator, "once").await.unwrap().secret_rotation.unwrap();
    assert_eq!(first.rotation, 1);
    until(&operator, is_complete).await;
    // The same request again.
    let again = begin(&operator, "once").await.unwrap().secret_rotation.unwrap();
    assert_eq!(again.rotation, 1);
    assert_eq!(tenant.count("ann", "SecretsResealed").await, 1);
    for caller in [&tenant.admin, &tenant.platform, &tenant.auditor] {
        let refused = begin(caller, "").await.unwrap_err();
        assert_eq!(reason(&refused), "PERMISSION_DENIED");
    }
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_was_erased_stays_erased_and_the_log_tells_of_the_others() {
    let house = House::single().await;
    let (operator, tenant) = (house.operator(), house.tenant("acme").await);
    tenant.enrol("ann").await;
    tenant.enrol("bob").await;
    let erase = countersign_proto::enrollment::EraseUserRequest {
        user_id: "bob".to_owned(),
        ..Default::default()
    };
    tenant.admin.enrollment().erase_user(erase).await.unwrap();
    begin(&operator, "").await.unwrap();
    let seen = until(&operator, is_complete).await;
    assert_eq!(seen.users_done, 1);
    assert_eq!(tenant.history("bob").await.last().unwrap(), "UserErased");
    assert_eq!(tenant.history("ann").await.last().unwrap(), "SecretsResealed");
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_is_no_sign_of_life_of_users() {
    const DAY: Duration = Duration::from_secs(24 * 3_600);

    let house = House::single().await;
    let (operator, tenant) = (house.operator(), house.tenant("acme").await);
    tenant.enrol("ann").await;
    let retain = SetRetentionRequest { inactive_user_days: 30, ..Default::default() };
    tenant.admin.admin().set_retention(retain).await.unwrap();
    house.clock.advance(DAY * 29);
    begin(&operator, "").await.unwrap();
    until(&operator, is_complete).await;
    assert_eq!(tenant.history("ann").await.last().unwrap(), "SecretsResealed");
    house.clock.advance(DAY * 2);
    let gone = async {
        while tenant.count("ann", "UserErased").await == 0 {
            tokio::time::sleep(crate::PAUSE).await;
        }
    };
    tokio::time::timeout(crate::PATIENCE, gone).await.expect("ann was silent for 31 days");
    house.stop().await;
}
