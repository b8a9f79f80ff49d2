//! How a pass ends: by time, by a new one, by an administrator.

use countersign_core::Timestamp;
use countersign_proto::{
    audit::GetStateAsOfRequest,
    common::{Authenticator, AuthenticatorStatus},
    enrollment::{
        IssueTemporaryAccessPassRequest, ReinstateAuthenticatorRequest, RemoveAuthenticatorRequest,
        SuspendAuthenticatorRequest,
    },
};
use countersign_tests::{House, Tenant, reason};

use super::{
    HOUR, KIND, MINUTE, asked, help_desk, is_verified, issue, pass, reusable, seconds, try_issue,
};

fn wire(instant: Timestamp) -> Option<prost_types::Timestamp> {
    Some(prost_types::Timestamp { seconds: instant.unix_seconds(), nanos: 0 })
}

async fn cannot_be_challenged(tenant: &Tenant, user: &str) {
    let refused = tenant.try_challenge(user).await.unwrap_err();
    assert_eq!(reason(&refused), "NO_USABLE_AUTHENTICATOR");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pass_is_right_until_its_end_and_no_longer() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    let desk = help_desk(&house, &tenant).await;
    let request = IssueTemporaryAccessPassRequest { lifetime: seconds(600), ..reusable("ann") };
    let issued = try_issue(&desk, request).await.unwrap();
    let end = house.now().plus(MINUTE * 10);
    assert_eq!((issued.starts_at, issued.ends_at), (wire(house.now()), wire(end)));
    let told = issued.authenticator.unwrap().parameters;
    assert_eq!(told.get("ends_at"), Some(&end.to_string()));
    assert_eq!(told.get("single_use"), Some(&"false".to_owned()));

    house.clock.set(Timestamp::from_unix_micros(end.unix_micros() - 1));
    assert!(is_verified(&tenant, "ann", &issued.code).await);
    let opened = tenant.challenge("ann").await;
    house.clock.set(end);
    tenant.refused("ann", &opened, &issued.code).await;
    cannot_be_challenged(&tenant, "ann").await;
    assert_eq!(pass(&tenant, "ann").await.status(), AuthenticatorStatus::Ended);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_goes_back_does_not_open_a_pass_again() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    let desk = help_desk(&house, &tenant).await;
    let phone = tenant.enrol("ann").await;
    let start = house.now();
    let code = issue(&desk, reusable("ann")).await;
    assert!(is_verified(&tenant, "ann", &code).await);
    house.clock.advance(MINUTE * 58);
    let opened = tenant.challenge("ann").await;
    // The log comes to tell of a time past the end, though not of the pass.
    house.clock.advance(MINUTE * 3);
    assert!(is_verified(&tenant, "ann", &phone.code(tenant.now())).await);
    house.clock.set(start.plus(MINUTE * 59));
    assert_eq!(tenant.refused("ann", &opened, &code).await, 4, "though the challenge is open");
    house.clock.set(start.plus(MINUTE));
    let challenge = tenant.challenge("ann").await;
    assert!(challenge.allowed_authenticators.iter().all(|one| one.kind != KIND));
    assert!(!is_verified(&tenant, "ann", &code).await);
    // A pass that is issued now is another matter.
    let code = issue(&desk, reusable("ann")).await;
    assert!(is_verified(&tenant, "ann", &code).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pass_can_be_issued_for_later() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    let desk = help_desk(&house, &tenant).await;
    let tomorrow = house.now().plus(HOUR * 24);
    let request = IssueTemporaryAccessPassRequest { starts_at: wire(tomorrow), ..asked("ann") };
    let code = issue(&desk, request).await;
    assert_eq!(pass(&tenant, "ann").await.status(), AuthenticatorStatus::Active);
    cannot_be_challenged(&tenant, "ann").await;
    house.clock.set(tomorrow);
    assert!(is_verified(&tenant, "ann", &code).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_pass_takes_the_place_of_the_old_one() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    let desk = help_desk(&house, &tenant).await;
    let old = issue(&desk, reusable("ann")).await;
    let first = pass(&tenant, "ann").await;
    let opened = tenant.challenge("ann").await;
    let new = issue(&desk, asked("ann")).await;
    let second = pass(&tenant, "ann").await;
    assert_eq!(second.authenticator_id, first.authenticator_id, "so that failures go on counting");
    tenant.refused("ann", &opened, &old).await;
    assert!(is_verified(&tenant, "ann", &new).await);
    // A used one gives way as well.
    let third = issue(&desk, asked("ann")).await;
    assert!(!is_verified(&tenant, "ann", &new).await);
    assert!(is_verified(&tenant, "ann", &third).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_outlive_the_pass_that_they_were_held_against() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    let desk = help_desk(&house, &tenant).await;
    issue(&desk, asked("ann")).await;
    for _ in 0..10 {
        assert!(!is_verified(&tenant, "ann", "0000-0000-0000").await);
    }
    let code = issue(&desk, asked("ann")).await;
    let challenge = tenant.challenge("ann").await;
    let throttled = tenant.verify("ann", &challenge, &code).await.unwrap_err();
    assert_eq!(reason(&throttled), "THROTTLED");
    house.clock.advance(MINUTE);
    tenant.verified("ann", &challenge, &code).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pass_is_set_aside_taken_back_and_removed_by_the_help_desk() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    let desk = help_desk(&house, &tenant).await;
    let code = issue(&desk, reusable("ann")).await;
    let (user_id, authenticator_id) =
        ("ann".to_owned(), pass(&tenant, "ann").await.authenticator_id);
    let opened = tenant.challenge("ann").await;

    let suspend = SuspendAuthenticatorRequest {
        user_id: user_id.clone(),
        authenticator_id: authenticator_id.clone(),
        ..Default::default()
    };
    desk.enrollment().suspend_authenticator(suspend).await.unwrap();
    let refused = tenant.verify("ann", &opened, &code).await.unwrap_err();
    assert_eq!(reason(&refused), "AUTHENTICATOR_NOT_ALLOWED");
    let refused = try_issue(&desk, asked("ann")).await.unwrap_err();
    assert_eq!(reason(&refused), "AUTHENTICATOR_NOT_ACTIVE");

    let reinstate = ReinstateAuthenticatorRequest {
        user_id: user_id.clone(),
        authenticator_id: authenticator_id.clone(),
        ..Default::default()
    };
    desk.enrollment().reinstate_authenticator(reinstate).await.unwrap();
    tenant.verified("ann", &opened, &code).await;

    let opened = tenant.challenge("ann").await;
    let remove = RemoveAuthenticatorRequest { user_id, authenticator_id, ..Default::default() };
    desk.enrollment().remove_authenticator(remove).await.unwrap();
    let refused = tenant.verify("ann", &opened, &code).await.unwrap_err();
    assert_eq!(reason(&refused), "AUTHENTICATOR_NOT_ALLOWED");
    cannot_be_challenged(&tenant, "ann").await;
    let again = issue(&desk, asked("ann")).await;
    assert!(is_verified(&tenant, "ann", &again).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_tells_how_a_pass_stood_at_each_time() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    let desk = help_desk(&house, &tenant).await;
    let issued_at = house.now();
    let code = issue(&desk, asked("ann")).await;
    house.clock.advance(MINUTE * 5);
    assert!(is_verified(&tenant, "ann", &code).await);
    house.clock.advance(MINUTE);
    let as_of = async |instant: Timestamp| -> Vec<AuthenticatorStatus> {
        let request = GetStateAsOfRequest { user_id: "ann".to_owned(), as_of: wire(instant) };
        let state = tenant.auditor.audit().get_state_as_of(request).await.unwrap().into_inner();
        state.authenticators.iter().map(Authenticator::status).collect()
    };
    assert_eq!(as_of(issued_at.plus(MINUTE)).await, [AuthenticatorStatus::Active]);
    assert_eq!(as_of(house.now()).await, [AuthenticatorStatus::Ended]);
}
