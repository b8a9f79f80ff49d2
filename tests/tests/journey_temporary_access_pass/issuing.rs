//! Who issues passes to whom, and what everyone is told.

use countersign_proto::{
    admin::{FactorSettings, Role},
    audit::{RecordedEvent, ReplayEventsRequest, replay_events_response::Item},
    common::AuthenticatorStatus,
    enrollment::{
        IssueTemporaryAccessPassRequest, SetDefaultAuthenticatorRequest, StartEnrollmentRequest,
    },
    event::{DeliveryRequested, TemporaryAccessPassIssued},
};
use countersign_tests::{House, Tenant, reason};
use prost::Message as _;
use tokio::{task::JoinSet, time::timeout};

use super::{
    KIND, asked, caller, help_desk, is_verified, issue, organisation, pass, place, try_issue,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_pass_is_shown_once() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    let desk = help_desk(&house, &tenant).await;
    let mut request = asked("ann");
    request.request_id = "issue".to_owned();
    let issued = try_issue(&desk, request.clone()).await.unwrap();
    let authenticator = issued.authenticator.unwrap();
    assert_eq!(authenticator.status(), AuthenticatorStatus::Active);
    assert_eq!((authenticator.kind.as_str(), authenticator.is_default), (KIND, false));
    assert_eq!(authenticator.display_name, "Temporary access pass");
    let again = try_issue(&desk, request.clone()).await.unwrap_err();
    assert_eq!(reason(&again), "PASS_ALREADY_SHOWN");
    request.single_use = Some(false);
    let reused = try_issue(&desk, request).await.unwrap_err();
    assert_eq!(reason(&reused), "REQUEST_ID_REUSED");
    assert_eq!(tenant.history("ann").await, ["TemporaryAccessPassIssued"]);
    assert!(is_verified(&tenant, "ann", &issued.code).await, "a repeat changed nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_repeats_at_once_only_one_is_shown_the_code() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    let mut calls = JoinSet::new();
    for _ in 0..8 {
        let caller = tenant.admin.over(house.connect().await);
        let request =
            IssueTemporaryAccessPassRequest { request_id: "issue".to_owned(), ..asked("ann") };
        calls.spawn(async move { try_issue(&caller, request).await });
    }
    let (shown, refused): (Vec<_>, Vec<_>) =
        calls.join_all().await.into_iter().partition(Result::is_ok);
    assert!(refused.iter().all(|one| reason(one.as_ref().unwrap_err()) == "PASS_ALREADY_SHOWN"));
    let [Ok(shown)] = &shown[..] else { panic!("{} were shown a code", shown.len()) };
    assert_eq!(tenant.history("ann").await, ["TemporaryAccessPassIssued"]);
    assert!(is_verified(&tenant, "ann", &shown.code).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_looks_after_users_issues_passes_and_nobody_else() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    let desk = help_desk(&house, &tenant).await;
    for allowed in [&desk, &tenant.admin, &house.operator().naming("acme")] {
        let code = issue(allowed, asked("ann")).await;
        assert!(is_verified(&tenant, "ann", &code).await);
    }
    for denied in [&tenant.platform, &tenant.auditor] {
        let refused = try_issue(denied, asked("ann")).await.unwrap_err();
        assert_eq!(reason(&refused), "PERMISSION_DENIED");
    }
    let events: Vec<TemporaryAccessPassIssued> =
        tenant.events("ann", "TemporaryAccessPassIssued").await;
    assert_eq!(events.iter().map(|event| event.generation).collect::<Vec<_>>(), [1, 2, 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_help_desk_issues_none_for_a_user_with_privilege() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    let desk = help_desk(&house, &tenant).await;
    place(&tenant, "root", "", true).await;
    let refused = try_issue(&desk, asked("root")).await.unwrap_err();
    assert_eq!(reason(&refused), "PERMISSION_DENIED");
    assert_eq!(tenant.count("root", "TemporaryAccessPassIssued").await, 0);
    let code = issue(&tenant.admin, asked("root")).await;
    assert!(is_verified(&tenant, "root", &code).await);
    place(&tenant, "root", "", false).await;
    issue(&desk, asked("root")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_confined_to_an_organisation_issues_none_for_users_elsewhere() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    organisation(&tenant, "north").await;
    organisation(&tenant, "south").await;
    place(&tenant, "ann", "north", false).await;
    place(&tenant, "bob", "south", false).await;
    for role in [Role::OrgAdmin, Role::HelpDesk] {
        let north = caller(&house, &tenant, role, "north").await;
        let code = issue(&north, asked("ann")).await;
        assert!(is_verified(&tenant, "ann", &code).await);
        for elsewhere in ["bob", "nobody"] {
            let refused = try_issue(&north, asked(elsewhere)).await.unwrap_err();
            assert_eq!(reason(&refused), "PERMISSION_DENIED", "{role:?} for {elsewhere}");
            assert_eq!(tenant.count(elsewhere, "TemporaryAccessPassIssued").await, 0);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pass_of_one_tenant_opens_nothing_in_another() {
    let house = House::start().await;
    let (acme, globex) = (house.tenant("acme").await, house.tenant("globex").await);
    let code = issue(&acme.admin, asked("ann")).await;
    issue(&globex.admin, asked("ann")).await;
    assert!(!is_verified(&globex, "ann", &code).await);
    assert!(is_verified(&acme, "ann", &code).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_wants_none_has_none() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    let desk = help_desk(&house, &tenant).await;
    let code = issue(&desk, asked("ann")).await;
    let opened = tenant.challenge("ann").await;
    let settings =
        |disabled| FactorSettings { kind: KIND.to_owned(), disabled, ..Default::default() };
    tenant.set_factor(settings(true)).await;
    let refused = try_issue(&desk, asked("ann")).await.unwrap_err();
    assert_eq!(reason(&refused), "FACTOR_KIND_DISABLED");
    let refused = tenant.verify("ann", &opened, &code).await.unwrap_err();
    assert_eq!(reason(&refused), "AUTHENTICATOR_NOT_ALLOWED");
    let refused = tenant.try_challenge("ann").await.unwrap_err();
    assert_eq!(reason(&refused), "NO_USABLE_AUTHENTICATOR");
    tenant.set_factor(settings(false)).await;
    tenant.verified("ann", &opened, &code).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pass_is_neither_enrolled_nor_preferred() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    issue(&tenant.admin, asked("ann")).await;
    let user_id = "ann".to_owned();
    let mut service = tenant.platform.enrollment();
    let start = StartEnrollmentRequest {
        user_id: user_id.clone(),
        kind: KIND.to_owned(),
        ..Default::default()
    };
    let refused = service.start_enrollment(start).await.unwrap_err();
    assert_eq!(reason(&refused), "FACTOR_KIND_NOT_ENROLLABLE");
    assert!(refused.message().contains("IssueTemporaryAccessPass"), "{refused}");
    let authenticator_id = pass(&tenant, "ann").await.authenticator_id;
    let prefer = SetDefaultAuthenticatorRequest { user_id, authenticator_id, ..Default::default() };
    let refused = service.set_default_authenticator(prefer).await.unwrap_err();
    assert_eq!(reason(&refused), "AUTHENTICATOR_NEVER_DEFAULT");
}

/// Waits for what the user is told.
async fn told(tenant: &Tenant) -> DeliveryRequested {
    let request = ReplayEventsRequest {
        event_types: vec!["DeliveryRequested".to_owned()],
        follow: true,
        ..Default::default()
    };
    let mut items = tenant.auditor.audit().replay_events(request).await.unwrap().into_inner();
    loop {
        let item = timeout(super::MINUTE, items.message()).await.expect("the user is told");
        if let Some(Item::Event(RecordedEvent { payload: Some(payload), .. })) =
            item.unwrap().unwrap().item
        {
            return DeliveryRequested::decode(&*payload.value).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_user_is_told_that_a_pass_was_issued_and_not_its_code() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    let code = issue(&tenant.admin, asked("ann")).await;
    let told = told(&tenant).await;
    assert_eq!(told.template, "temporary_access_pass_issued");
    assert_eq!(told.values.get("kind").map(String::as_str), Some(KIND));
    assert!(told.values.values().all(|value| !value.contains(&code)));
    // Nor does the code stand in any event.
    let events = tenant.auditor.replay(ReplayEventsRequest::default()).await;
    let plain = code.replace('-', "");
    for event in events {
        let payload = event.payload.unwrap().value;
        for secret in [code.as_bytes(), plain.as_bytes()] {
            assert!(!payload.windows(secret.len()).any(|window| window == secret));
        }
    }
}
