//! Nothing of one tenant is visible to another.

mod support;

use countersign_audit::AuditApi;
use countersign_proto::audit::{
    GetStateAsOfRequest, ReplayEventsRequest, audit_service_server::AuditService as _,
};
use countersign_service::caller::Caller;
use support::{House, auditor, events, facts::*, field, platform_auditor_of, reason, tenant};
use tonic::{Code, Request, Status};

/// Three tenants at positions 0 to 2, then a sign-in of Ada at `acme` and one of her namesake at `acme-eu`.
async fn house() -> House {
    let house = House::with_tenants(&["platform", "acme", "acme-eu"]).await;
    house.record(&house.user("acme", "ada"), evaluated(10), 10).await;
    house.record(&house.user("acme-eu", "ada"), evaluated(10), 10).await;
    house
}

fn every() -> ReplayEventsRequest {
    ReplayEventsRequest::default()
}

fn ada() -> ReplayEventsRequest {
    ReplayEventsRequest { user_id: "ada".to_owned(), ..Default::default() }
}

async fn refused(house: &House, caller: Caller, request: ReplayEventsRequest) -> Status {
    match house.replay(caller, request).await {
        Ok(_) => unreachable!("the replay was not refused"),
        Err(status) => status,
    }
}

#[tokio::test]
async fn a_tenant_sees_its_own_events_only() {
    let house = house().await;
    assert_eq!(house.positions(auditor("acme"), every()).await, [1, 3]);
    assert_eq!(house.positions(auditor("acme-eu"), every()).await, [2, 4]);
    for name in ["acme", "acme-eu"] {
        for event in events(house.replay(auditor(name), every()).await.unwrap()).await {
            assert_eq!(event.tenant, name);
            assert!(event.stream.contains(&format!("-{name}.")), "{}", event.stream);
        }
    }
}

#[tokio::test]
async fn users_of_the_same_name_in_two_tenants_are_two_users() {
    let house = house().await;
    assert_eq!(house.positions(auditor("acme"), ada()).await, [3]);
    assert_eq!(house.positions(auditor("acme-eu"), ada()).await, [4]);
}

#[tokio::test]
async fn whatever_a_tenants_caller_acts_on_it_sees_its_own_only() {
    let house = house().await;
    // The access layer lets neither through; the filter does not rely on it.
    for acts_on in [None, Some(tenant("acme-eu"))] {
        let caller = Caller { acts_on, ..auditor("acme") };
        assert_eq!(house.positions(caller.clone(), every()).await, [1, 3]);
        assert_eq!(house.positions(caller, ada()).await, [3]);
    }
}

#[tokio::test]
async fn the_platform_sees_every_tenant_unless_it_names_one() {
    let house = house().await;
    assert_eq!(house.positions(auditor("platform"), every()).await, [0, 1, 2, 3, 4]);
    assert_eq!(house.positions(platform_auditor_of("acme"), every()).await, [1, 3]);
    assert_eq!(house.positions(platform_auditor_of("acme-eu"), ada()).await, [4]);
    assert_eq!(house.positions(platform_auditor_of("platform"), every()).await, [0]);
}

#[tokio::test]
async fn the_platform_names_the_tenant_of_the_user_that_it_means() {
    let house = house().await;
    let status = refused(&house, auditor("platform"), ada()).await;
    assert_eq!(status.code(), Code::InvalidArgument);
    assert_eq!(field(&status), "countersign-tenant");
    let asked = GetStateAsOfRequest { user_id: "ada".to_owned(), as_of: None };
    let status = house.state_as_of(auditor("platform"), asked).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(status.message().contains("countersign-tenant"), "{}", status.message());
}

#[tokio::test]
async fn a_tenant_that_does_not_exist_is_not_mistaken_for_one_where_nothing_happened() {
    let house = house().await;
    let status = refused(&house, platform_auditor_of("acmee"), every()).await;
    assert_eq!(reason(&status), "TENANT_NOT_FOUND");
    let asked = GetStateAsOfRequest { user_id: "ada".to_owned(), as_of: None };
    let status = house.state_as_of(platform_auditor_of("acmee"), asked).await.unwrap_err();
    assert_eq!(reason(&status), "TENANT_NOT_FOUND");
}

#[tokio::test]
async fn a_state_is_folded_from_the_callers_tenant_only() {
    let house = house().await;
    let (here, there) = (house.user("acme", "ada"), house.user("acme-eu", "ada"));
    house.record(&here, issued(1, 20), 20).await;
    house.record(&there, issued(2, 20), 20).await;
    house.set_clock(30);
    let asked = GetStateAsOfRequest { user_id: "ada".to_owned(), as_of: None };
    for caller in [auditor("acme"), platform_auditor_of("acme")] {
        let state = house.state_as_of(caller, asked.clone()).await.unwrap();
        let open: Vec<_> = state.open_challenges.iter().map(|open| &open.challenge_id).collect();
        assert_eq!(open, [&challenge(1).to_string()]);
        assert_eq!(state.events_folded, 2);
    }
}

#[tokio::test]
async fn a_request_that_did_not_pass_the_access_layer_is_refused() {
    let house = house().await;
    let api: &AuditApi = &house.api;
    let Err(status) = api.replay_events(Request::new(every())).await else {
        unreachable!("a replay was given to nobody")
    };
    assert_eq!(status.code(), Code::Unauthenticated);
    let asked = GetStateAsOfRequest { user_id: "ada".to_owned(), as_of: None };
    let status = api.get_state_as_of(Request::new(asked)).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
}
