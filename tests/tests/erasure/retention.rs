//! Users of whom nothing is heard for longer than their tenant keeps them are erased by themselves.

use std::time::Duration;

use countersign_proto::{
    admin::{GetTenantRequest, SetRetentionRequest},
    audit::{RecordedEvent, ReplayEventsRequest, replay_events_response::Item},
    event::{RetentionSet, UserErased},
};
use countersign_tests::{Caller, House, Tenant, reason};
use prost::Message as _;
use tonic::Status;

use crate::{PATIENCE, authenticators, of_type, proves};

const DAY: Duration = Duration::from_secs(24 * 3_600);

async fn retain(tenant: &Tenant, days: u32) -> Result<u32, Status> {
    let request = SetRetentionRequest { inactive_user_days: days, ..Default::default() };
    let told = tenant.admin.admin().set_retention(request).await?.into_inner();
    Ok(told.tenant.unwrap().inactive_user_days)
}

/// Waits for the next erasure that `caller` may see after `position`.
async fn erased_after(caller: &Caller, position: u64) -> RecordedEvent {
    let request = ReplayEventsRequest {
        follow: true,
        after_position: Some(position),
        ..of_type("UserErased")
    };
    let mut items = caller.audit().replay_events(request).await.unwrap().into_inner();
    loop {
        let item =
            tokio::time::timeout(PATIENCE, items.message()).await.expect("somebody is erased");
        if let Some(Item::Event(event)) = item.unwrap().unwrap().item {
            return event;
        }
    }
}

fn why(event: &RecordedEvent) -> String {
    UserErased::decode(&*event.payload.clone().unwrap().value).unwrap().reason
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_silent_for_too_long_goes_and_whoever_is_not_stays() {
    let house = House::start().await;
    // Tenants are looked at by name, so that the others had their turn once the last one has.
    let keeps_all = house.tenant("acme").await;
    let keeps_long = house.tenant("globex").await;
    let tenant = house.tenant("zeta").await;
    let mut phones = Vec::new();
    for tenant in [&keeps_all, &keeps_long, &tenant] {
        phones.push((tenant.enrol("ann").await, tenant.enrol("bob").await));
    }
    assert_eq!(retain(&keeps_long, 365).await.unwrap(), 365);
    assert_eq!(retain(&tenant, 90).await.unwrap(), 90);
    house.clock.advance(DAY * 50);
    proves(&tenant, "ann", &phones[2].0).await;
    house.clock.advance(DAY * 41);
    let gone = erased_after(&house.operator(), 0).await;
    assert_eq!((gone.tenant.as_str(), why(&gone).as_str()), ("zeta", "retention"));
    assert_eq!(gone.requester, "service:enrollment");
    assert_eq!(tenant.count("bob", "UserErased").await, 1);
    assert_eq!(authenticators(&tenant, "bob").await[0].display_name, "[erased]");
    proves(&tenant, "ann", &phones[2].0).await;
    for (other, (ann, bob)) in [&keeps_all, &keeps_long].into_iter().zip(&phones) {
        proves(other, "ann", ann).await;
        proves(other, "bob", bob).await;
    }
    let erased = house.operator().replay(of_type("UserErased")).await;
    assert_eq!(erased.len(), 1, "{erased:?}");

    // Ann falls silent too; to be placed, suspended or looked for is to be heard of.
    house.clock.advance(DAY * 91);
    let next = erased_after(&house.operator(), gone.position).await;
    assert_eq!((next.tenant.as_str(), why(&next).as_str()), ("zeta", "retention"));
    assert_eq!(tenant.count("ann", "UserErased").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_says_how_long_users_stay_and_takes_it_back() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    for wrong in [1, 29, 3_651, u32::MAX] {
        let refused = retain(&tenant, wrong).await.unwrap_err();
        assert_eq!(reason(&refused), "FIELD_INVALID");
        assert!(refused.message().contains("inactive_user_days"), "{}", refused.message());
        assert!(refused.message().contains("30 to 3650"), "{}", refused.message());
    }
    for days in [30, 30, 0] {
        assert_eq!(retain(&tenant, days).await.unwrap(), days);
        let got = tenant.auditor.admin().get_tenant(GetTenantRequest {}).await.unwrap();
        assert_eq!(got.into_inner().tenant.unwrap().inactive_user_days, days);
    }
    let set: Vec<_> = tenant.auditor.replay(of_type("RetentionSet")).await;
    let days = |event: &RecordedEvent| {
        RetentionSet::decode(&*event.payload.clone().unwrap().value).unwrap().inactive_user_days
    };
    assert_eq!(set.iter().map(days).collect::<Vec<_>>(), [30, 0]);
}
