//! What is refused once a user was erased, and how.

use std::time::Duration;

use countersign_proto::{
    challenge::{CancelChallengeRequest, GetChallengeRequest, ReleaseThrottleRequest},
    common::AuthenticatorStatus,
    enrollment::{
        CreateSelfServiceTokenRequest, GetUserRequest, IssueRecoveryCodesRequest,
        IssueTemporaryAccessPassRequest, ListAuthenticatorsRequest, PlaceUserRequest, Placement,
        ReinstateAuthenticatorRequest, RemoveAuthenticatorRequest, RenameAuthenticatorRequest,
        SetDefaultAuthenticatorRequest, StartEnrollmentRequest, SuspendAuthenticatorRequest,
    },
    policy::EvaluateSignInRequest,
};
use countersign_tests::{House, Told, reason};
use tonic::Status;

use crate::{authenticators, erase, try_erase};

const ANN: &str = "ann";

fn start(request_id: &str) -> StartEnrollmentRequest {
    StartEnrollmentRequest {
        request_id: request_id.to_owned(),
        user_id: ANN.to_owned(),
        kind: "totp".to_owned(),
        ..Default::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_would_change_something_of_an_erased_user_is_refused() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    let phone = tenant.enrol(ANN).await;
    let (_, pending) = tenant.start(start("start-1")).await;
    house.clock.advance(Duration::from_secs(30));
    let challenge = tenant.challenge(ANN).await;
    let code = phone.code(house.now());
    erase(&tenant, ANN).await;
    let history = tenant.history(ANN).await;

    let user_id = ANN.to_owned();
    let authenticator_id = phone.authenticator_id.clone();
    let (mut enrollment, mut admin) = (tenant.platform.enrollment(), tenant.admin.enrollment());
    let mut challenges = tenant.platform.challenge();
    macro_rules! refused {
        ($client:ident.$method:ident($request:ident { $($field:ident: $value:expr),* })) => {{
            let request = $request {
                user_id: user_id.clone(), $($field: $value,)* ..Default::default()
            };
            (stringify!($method), $client.$method(request).await.map(drop))
        }};
        ($client:ident.$method:ident($request:ident with id { $($field:ident: $value:expr),* })) => {
            refused!($client.$method($request {
                authenticator_id: authenticator_id.clone() $(, $field: $value)*
            }))
        };
    }
    let kind = || "totp".to_owned();
    let placement = || Some(Placement { privileged: true, ..Default::default() });
    let challenge_id = || challenge.challenge_id.clone();
    let mut policy = tenant.platform.policy();
    let refusals: Vec<(&str, Result<(), Status>)> = vec![
        refused!(enrollment.start_enrollment(StartEnrollmentRequest { kind: kind() })),
        refused!(enrollment.rename_authenticator(RenameAuthenticatorRequest with id { display_name: kind() })),
        refused!(enrollment.set_default_authenticator(SetDefaultAuthenticatorRequest with id {})),
        refused!(admin.suspend_authenticator(SuspendAuthenticatorRequest with id {})),
        refused!(admin.reinstate_authenticator(ReinstateAuthenticatorRequest with id {})),
        refused!(enrollment.remove_authenticator(RemoveAuthenticatorRequest with id {})),
        refused!(enrollment.issue_recovery_codes(IssueRecoveryCodesRequest {})),
        refused!(admin.issue_temporary_access_pass(IssueTemporaryAccessPassRequest {})),
        refused!(enrollment.place_user(PlaceUserRequest { placement: placement() })),
        refused!(enrollment.create_self_service_token(CreateSelfServiceTokenRequest {})),
        refused!(policy.evaluate_sign_in(EvaluateSignInRequest {})),
        refused!(
            challenges.cancel_challenge(CancelChallengeRequest { challenge_id: challenge_id() })
        ),
        {
            let mut challenges = tenant.admin.challenge();
            refused!(challenges.release_throttle(ReleaseThrottleRequest with id {}))
        },
        ("confirm", tenant.confirm(ANN, &pending, &pending.code(house.now())).await.map(drop)),
        ("verify", tenant.verify(ANN, &challenge, &code).await.map(drop)),
    ];
    for (method, refusal) in refusals {
        assert_eq!(reason(&refusal.unwrap_err()), "USER_ERASED", "{method}");
    }
    assert_eq!(tenant.history(ANN).await, history, "nothing was added");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_of_what_was_done_before_shows_no_secret_and_proves_nothing() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    let phone = tenant.enrol(ANN).await;
    tenant.start(start("start-1")).await;
    house.clock.advance(Duration::from_secs(30));
    let challenge = tenant.challenge(ANN).await;
    let request = countersign_proto::challenge::VerifyChallengeRequest {
        request_id: "verify-1".to_owned(),
        user_id: ANN.to_owned(),
        challenge_id: challenge.challenge_id.clone(),
        code: phone.code(house.now()),
        with_assertion: true,
        ..Default::default()
    };
    tenant.platform.challenge().verify_challenge(request.clone()).await.unwrap();
    erase(&tenant, ANN).await;
    let again = tenant.platform.challenge().verify_challenge(request).await.unwrap_err();
    assert_eq!(reason(&again), "USER_ERASED");
    let started = tenant.platform.enrollment().start_enrollment(start("start-1")).await;
    let started = started.unwrap().into_inner();
    assert_eq!(started.provisioning, None);
    let shown = started.authenticator.unwrap();
    assert_eq!((shown.status(), &*shown.display_name), (AuthenticatorStatus::Removed, "[erased]"));
}

/// Whoever knows nothing but a user's name, as the person at the sign-in page of a platform, learns nothing from it.
#[tokio::test(flavor = "multi_thread")]
async fn to_a_stranger_an_erased_user_looks_like_one_who_never_was() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    tenant.enrol(ANN).await;
    let old = tenant.challenge(ANN).await;
    erase(&tenant, ANN).await;
    let told = |status: Status| Told::by(&status);
    let [erased, unknown] = [
        tenant.try_challenge(ANN).await.unwrap_err(),
        tenant.try_challenge("nobody").await.unwrap_err(),
    ];
    assert_eq!(reason(&erased), "NO_USABLE_AUTHENTICATOR");
    assert_eq!(told(erased), told(unknown));
    let (mut enrollment, mut challenges) =
        (tenant.platform.enrollment(), tenant.platform.challenge());
    let mut seen = Vec::new();
    for user_id in [ANN, "nobody"].map(str::to_owned) {
        let request = ListAuthenticatorsRequest { user_id: user_id.clone(), ..Default::default() };
        let listed = enrollment.list_authenticators(request).await.unwrap().into_inner();
        let request = GetUserRequest { user_id: user_id.clone() };
        let placed = enrollment.get_user(request).await.unwrap().into_inner();
        let request = GetChallengeRequest {
            user_id,
            challenge_id: "0198c000-0000-7000-8000-000000000000".to_owned(),
        };
        let challenge = challenges.get_challenge(request).await.unwrap_err();
        seen.push((listed, placed, reason(&challenge)));
    }
    assert_eq!(seen[0], seen[1]);
    // A challenge that was open goes on being shown to whoever holds its id, until it lapses.
    assert!(tenant.look(ANN, &old).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_never_was_is_barred_by_being_erased() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    erase(&tenant, "ghost").await;
    let request = StartEnrollmentRequest { user_id: "ghost".to_owned(), ..start("") };
    let refused = tenant.platform.enrollment().start_enrollment(request).await.unwrap_err();
    assert_eq!(reason(&refused), "USER_ERASED");
    assert_eq!(authenticators(&tenant, "ghost").await, []);
    assert_eq!(tenant.history("ghost").await, ["UserErased"]);
    // Only there: another tenant's user of the same name is another user.
    let other = house.tenant("globex").await;
    other.enrol("ghost").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_administrators_erase() {
    let house = House::start().await;
    let mut tenant = house.tenant("acme").await;
    tenant.enrol(ANN).await;
    for caller in [tenant.platform.clone(), tenant.auditor.clone()] {
        tenant.admin = caller;
        let denied = try_erase(&tenant, ANN, "", "").await.unwrap_err();
        assert_eq!(reason(&denied), "PERMISSION_DENIED");
    }
    tenant.admin = house.operator().naming("acme");
    erase(&tenant, ANN).await;
}
