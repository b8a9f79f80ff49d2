//! What GetDelivery and ListDeliveries show, and to whom.

use std::sync::Arc;

use countersign_core::{DeliveryId, TenantId};
use countersign_domain::tenant::Role;
use countersign_eventsourcing::Projection as _;
use countersign_notification::{Deliveries, notification_server};
use countersign_proto::notification::{
    self as wire, notification_service_client::NotificationServiceClient,
};
use countersign_providers::{Cause, SendError};
use countersign_service::caller::Caller;
use tonic::{Code, Request, Status};
use uuid::Uuid;

use crate::{
    messenger::Act,
    world::{ALICE, BOB, NOW, World, soon, tenant},
};

/// Puts the caller where the access layer puts it.
fn called_by<T>(tenant: &TenantId, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.extensions_mut().insert(Caller {
        requester: format!("api-key:{tenant}.k1").into(),
        home: tenant.clone(),
        roles: [Role::Auditor].into(),
        organisation: None,
        user: None,
        acts_on: Some(tenant.clone()),
    });
    request
}

async fn get(world: &World, tenant: &TenantId, id: &str) -> Result<wire::Delivery, Status> {
    // The read model is empty: one delivery is read from its own stream.
    let server = notification_server(Arc::clone(&world.foundation), Arc::default());
    let message = wire::GetDeliveryRequest { delivery_id: id.to_owned() };
    let mut client = NotificationServiceClient::new(server);
    let answer = client.get_delivery(called_by(tenant, message)).await?;
    Ok(answer.into_inner().delivery.unwrap())
}

pub(crate) async fn list(
    world: &World,
    deliveries: &Arc<Deliveries>,
    tenant: &TenantId,
    page_size: u32,
    page_token: &str,
) -> Result<(Vec<wire::Delivery>, String), Status> {
    let server = notification_server(Arc::clone(&world.foundation), Arc::clone(deliveries));
    let message = wire::ListDeliveriesRequest { page_size, page_token: page_token.to_owned() };
    let mut client = NotificationServiceClient::new(server);
    let answer = soon(client.list_deliveries(called_by(tenant, message))).await?.into_inner();
    Ok((answer.deliveries, answer.next_page_token))
}

/// Makes the read model of what the log holds.
async fn projected(world: &World) -> Arc<Deliveries> {
    let deliveries = Arc::<Deliveries>::default();
    for event in world.all(&deliveries.filter()).await {
        deliveries.apply(&event).await.unwrap();
    }
    deliveries.caught_up().await;
    deliveries
}

/// Returns the ids of all deliveries in the order in which they were announced.
async fn ids(world: &World) -> Vec<String> {
    let events = world.delivery_events().await.into_iter();
    let announced = events.filter(|recorded| recorded.event.event_type == "DeliveryRequested");
    announced.map(|recorded| recorded.stream.key().to_owned()).collect()
}

#[tokio::test]
async fn a_delivery_is_shown_as_it_stands() {
    let world = World::new();
    let acme = tenant("acme");
    world.enroll("acme", ALICE).await;
    world.enroll("acme", BOB).await;
    world.pass(&world.notices()).await.unwrap();
    let ids = ids(&world).await;
    let requested = get(&world, &acme, &ids[0]).await.unwrap();
    assert_eq!(requested.delivery_id, ids[0]);
    assert_eq!(requested.status(), wire::DeliveryStatus::Requested);
    assert_eq!(requested.template, "authenticator_enrolled");
    assert_eq!(requested.requested_at.unwrap().seconds, NOW.unix_seconds());
    assert_eq!((requested.finished_at, &*requested.provider), (None, ""));

    world.provider.will([Act::Fail(SendError::Refused(Cause::new("no such user")))]);
    world.pass(&world.sender()).await.unwrap();
    let failed = get(&world, &acme, &ids[0]).await.unwrap();
    assert_eq!(failed.status(), wire::DeliveryStatus::Failed);
    assert_eq!(failed.failure, "the provider refused the message: no such user");
    assert_eq!(failed.provider, "");
    let sent = get(&world, &acme, &ids[1]).await.unwrap();
    assert_eq!(sent.status(), wire::DeliveryStatus::Sent);
    assert_eq!((&*sent.provider, &*sent.failure), ("double", ""));
    assert_eq!(sent.finished_at.unwrap().seconds, NOW.unix_seconds());

    let (listed, _) = list(&world, &projected(&world).await, &acme, 0, "").await.unwrap();
    assert_eq!(listed, [sent, failed]);
}

#[tokio::test]
async fn a_tenant_sees_its_own_deliveries_only() {
    let world = World::new();
    let (acme, other) = (tenant("acme"), tenant("acme-b"));
    world.enroll("acme", ALICE).await;
    world.enroll("acme-b", ALICE).await;
    world.pass(&world.notices()).await.unwrap();
    let ids = ids(&world).await;
    assert_eq!(get(&world, &acme, &ids[0]).await.unwrap().delivery_id, ids[0]);
    let hidden = get(&world, &other, &ids[0]).await.unwrap_err();
    let absent = get(&world, &other, &Uuid::from_u128(7).to_string()).await.unwrap_err();
    assert_eq!(hidden.code(), Code::NotFound);
    assert_eq!(hidden.message(), absent.message());

    let deliveries = projected(&world).await;
    for (tenant, id) in [(&acme, &ids[0]), (&other, &ids[1])] {
        let (listed, next) = list(&world, &deliveries, tenant, 0, "").await.unwrap();
        assert_eq!(listed.len(), 1);
        assert_eq!((&listed[0].delivery_id, &*next), (id, ""));
    }
    let (listed, _) = list(&world, &deliveries, &tenant("acme-c"), 0, "").await.unwrap();
    assert!(listed.is_empty());
}

#[tokio::test]
async fn pages_go_from_the_newest_to_the_oldest() {
    let world = World::new();
    let acme = tenant("acme");
    for _ in 0..5 {
        world.enroll("acme", ALICE).await;
    }
    world.pass(&world.notices()).await.unwrap();
    let deliveries = projected(&world).await;
    let (mut listed, mut token) = (Vec::new(), String::new());
    for expected in [2, 2, 1] {
        let (page, next) = list(&world, &deliveries, &acme, 2, &token).await.unwrap();
        assert_eq!(page.len(), expected);
        listed.extend(page.into_iter().map(|delivery| delivery.delivery_id));
        token = next;
    }
    assert_eq!(token, "");
    let mut newest_first = ids(&world).await;
    newest_first.reverse();
    assert_eq!(listed, newest_first);
}

#[tokio::test]
async fn a_bad_field_is_named() {
    let world = World::new();
    let acme = tenant("acme");
    let error = get(&world, &acme, "x").await.unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument);
    assert!(error.message().starts_with("delivery_id: "), "{}", error.message());
    let deliveries = projected(&world).await;
    let error = list(&world, &deliveries, &acme, 101, "").await.unwrap_err();
    assert!(error.message().starts_with("page_size: "), "{}", error.message());
}

#[tokio::test]
async fn a_delivery_whose_stream_cannot_be_read_is_said_to_be_damaged() {
    let world = World::new();
    let id = DeliveryId::new(Uuid::from_u128(1)).to_string();
    let stream = format!("deliveries-acme.{id}").parse().unwrap();
    world.append_bytes(&stream, "DeliveryRequested", 1, b"\xff".to_vec()).await;
    let error = get(&world, &tenant("acme"), &id).await.unwrap_err();
    assert_eq!(error.code(), Code::DataLoss);
}
