//! A user is told what happened to their account, and the telling is on record.

use std::time::Duration;

use countersign_proto::{
    audit::{ReplayEventsRequest, replay_events_response::Item},
    event::DeliveryRequested,
    notification::{Delivery, DeliveryStatus, GetDeliveryRequest, ListDeliveriesRequest},
};
use countersign_tests::{House, Tenant};
use prost::Message as _;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(30);

/// Follows the log until `number` deliveries of the tenant were sent; returns the announcements.
async fn sent(tenant: &Tenant, number: usize) -> Vec<DeliveryRequested> {
    let request = ReplayEventsRequest {
        event_types: vec!["DeliveryRequested".to_owned(), "DeliverySent".to_owned()],
        follow: true,
        ..Default::default()
    };
    let mut items = tenant.auditor.audit().replay_events(request).await.unwrap().into_inner();
    let (mut requested, mut sent) = (Vec::new(), 0);
    while sent < number {
        let item = timeout(PATIENCE, items.message()).await.expect("deliveries are sent");
        let Some(Item::Event(event)) = item.unwrap().unwrap().item else { continue };
        if event.r#type == "DeliverySent" {
            sent += 1;
        } else {
            requested.push(DeliveryRequested::decode(&*event.payload.unwrap().value).unwrap());
        }
    }
    requested
}

/// Asks for the list until every delivery in it was sent: it follows the log at its own pace.
async fn listed(tenant: &Tenant, number: usize) -> Vec<Delivery> {
    let list = async {
        loop {
            let request = ListDeliveriesRequest::default();
            let response = tenant.auditor.notification().list_deliveries(request).await;
            let listed = response.unwrap().into_inner().deliveries;
            let is_sent = |delivery: &Delivery| delivery.status() == DeliveryStatus::Sent;
            if listed.len() == number && listed.iter().all(is_sent) {
                return listed;
            }
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, list).await.expect("the list catches up")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_enrolment_and_a_throttle_are_told_to_the_user_and_listed_newest_first() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    let phone = tenant.enrol("ann").await;
    sent(&tenant, 1).await;
    house.clock.advance(Duration::from_secs(30));
    let challenge = tenant.challenge("ann").await;
    for _ in 0..5 {
        tenant.refused("ann", &challenge, &phone.wrong_code(tenant.now())).await;
    }
    let announced = sent(&tenant, 2).await;
    let templates: Vec<_> = announced.iter().map(|event| event.template.as_str()).collect();
    assert_eq!(templates, ["authenticator_enrolled", "authenticator_throttled"]);
    let kinds: Vec<_> = announced.iter().map(|event| event.values.get("kind")).collect();
    assert_eq!(kinds, [Some(&"totp".to_owned()); 2]);

    let deliveries = listed(&tenant, 2).await;
    let templates: Vec<_> = deliveries.iter().map(|delivery| delivery.template.as_str()).collect();
    assert_eq!(templates, ["authenticator_throttled", "authenticator_enrolled"]);
    for delivery in deliveries {
        assert_eq!(delivery.provider, "log");
        assert!(delivery.finished_at.is_some() && delivery.failure.is_empty());
        let request = GetDeliveryRequest { delivery_id: delivery.delivery_id.clone() };
        let one = tenant.auditor.notification().get_delivery(request).await.unwrap();
        assert_eq!(one.into_inner().delivery, Some(delivery));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_told_twice_after_a_restart() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    tenant.enrol("ann").await;
    sent(&tenant, 1).await;
    let house = house.restart().await;
    let tenant = tenant.over(&house.channel());
    tenant.enrol("bob").await;
    // The second message is that of the second enrolment: the first was not sent again in between.
    let announced = sent(&tenant, 2).await;
    assert_eq!(announced.len(), 2);
    assert_eq!(listed(&tenant, 2).await.len(), 2);
}
