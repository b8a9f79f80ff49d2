//! What the log, folds and lists show of a user who was erased.

use std::time::Duration;

use countersign_proto::{
    audit::{RecordedEvent, ReplayEventsRequest},
    common::AuthenticatorStatus,
    enrollment::StartEnrollmentRequest,
    event::UserErased,
    notification::{Delivery, DeliveryStatus, ListDeliveriesRequest},
    policy::{EvaluateSignInRequest, SignInContext},
};
use countersign_tests::{House, Phone, Tenant, instant, reason};
use prost::Message as _;

use crate::{authenticators, becomes, erase, state, try_erase};

const ANN: &str = "ann@example.org";
const NAME: &str = "Ann's telephone";

/// Enrols with a name, signs in, proves and gets recovery codes.
async fn lives(house: &House, tenant: &Tenant) -> Phone {
    let request = StartEnrollmentRequest {
        user_id: ANN.to_owned(),
        kind: "totp".to_owned(),
        display_name: NAME.to_owned(),
        ..Default::default()
    };
    let (_, phone) = tenant.start(request).await;
    tenant.confirm(ANN, &phone, &phone.code(tenant.now())).await.unwrap();
    let context = SignInContext { user_agent: "Netscape/4.08".to_owned(), ..Default::default() };
    let sign_in = EvaluateSignInRequest {
        user_id: ANN.to_owned(),
        context: Some(context),
        ..Default::default()
    };
    tenant.platform.policy().evaluate_sign_in(sign_in).await.unwrap();
    house.clock.advance(Duration::from_secs(30));
    let challenge = tenant.challenge(ANN).await;
    tenant.verified(ANN, &challenge, &phone.code(tenant.now())).await;
    tenant.issue_codes(ANN).await;
    phone
}

async fn deliveries(tenant: &Tenant) -> Vec<Delivery> {
    let request = ListDeliveriesRequest::default();
    let listed = tenant.auditor.notification().list_deliveries(request).await;
    listed.unwrap().into_inner().deliveries
}

async fn everything(tenant: &Tenant) -> Vec<RecordedEvent> {
    let mut events = tenant.auditor.replay(ReplayEventsRequest::default()).await;
    // Comes whenever a key is used for the first time in a while.
    events.retain(|event| event.r#type != "ApiKeyUsed");
    events
}

/// Returns whether an event of the tenant is about a user.
fn is_of_a_user(event: &RecordedEvent) -> bool {
    !event.stream.starts_with("tenant-")
        && !matches!(event.r#type.as_str(), "DeliverySent" | "DeliveryFailed")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erased_user_is_shown_as_such_everywhere_and_the_log_stays_whole() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    lives(&house, &tenant).await;
    let sent = |listed: &Vec<Delivery>| {
        listed.len() == 2 && listed.iter().all(|one| one.status() == DeliveryStatus::Sent)
    };
    let told = becomes(async || deliveries(&tenant).await, sent).await;
    let before = everything(&tenant).await;
    let stood = state(&tenant, ANN, None).await;
    let named = |name: &str| stood.authenticators.iter().any(|one| one.display_name == name);
    assert!(named(NAME) && !before.iter().any(|event| event.erased));

    house.clock.advance(Duration::from_secs(60));
    erase(&tenant, ANN).await;

    let all_marked = |events: &Vec<RecordedEvent>| {
        events.iter().filter(|event| is_of_a_user(event)).all(|event| event.erased)
    };
    let after = becomes(async || everything(&tenant).await, all_marked).await;
    let (last, unchanged) = after.split_last().unwrap();
    let unmarked = |event: &RecordedEvent| RecordedEvent { erased: false, ..event.clone() };
    assert_eq!(unchanged.iter().map(unmarked).collect::<Vec<_>>(), before);
    assert!(after.iter().filter(|event| !is_of_a_user(event)).all(|event| !event.erased));
    let erased = UserErased::decode(&*last.payload.clone().unwrap().value).unwrap();
    assert_eq!(
        (erased.reason.as_str(), instant(&erased.erased_at.unwrap())),
        ("asked to", house.now())
    );
    assert!(last.requester.starts_with("api-key:acme."), "{}", last.requester);

    let past = state(&tenant, ANN, stood.as_of).await;
    assert_eq!(past.events_folded, stood.events_folded);
    for (now, then) in past.authenticators.iter().zip(&stood.authenticators) {
        let named = if then.display_name == NAME { "[erased]" } else { &then.display_name };
        assert_eq!((now.status(), now.display_name.as_str()), (then.status(), named));
    }
    for listed in
        [state(&tenant, ANN, None).await.authenticators, authenticators(&tenant, ANN).await]
    {
        assert_eq!(listed.len(), 2);
        assert!(listed.iter().all(|one| one.status() == AuthenticatorStatus::Removed));
        assert_eq!(listed[0].display_name, "[erased]");
    }
    assert_eq!(deliveries(&tenant).await, told, "nobody is told of an erasure");
}

#[tokio::test(flavor = "multi_thread")]
async fn erasing_again_tells_when_it_was_and_changes_nothing() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    tenant.enrol(ANN).await;
    let first = try_erase(&tenant, ANN, "erase-1", "asked to").await.unwrap();
    house.clock.advance(Duration::from_secs(60));
    for (request_id, why) in [("erase-1", "asked to"), ("erase-2", "again"), ("", "again")] {
        assert_eq!(try_erase(&tenant, ANN, request_id, why).await.unwrap(), first);
    }
    let other = try_erase(&tenant, ANN, "erase-1", "another reason").await.unwrap_err();
    assert_eq!(reason(&other), "REQUEST_ID_REUSED");
    assert_eq!(tenant.count(ANN, "UserErased").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn erased_users_stay_erased_across_a_restart() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    tenant.enrol(ANN).await;
    let first = erase(&tenant, ANN).await;
    let house = house.restart().await;
    let tenant = tenant.over(&house.channel());
    assert_eq!(authenticators(&tenant, ANN).await[0].display_name, "[erased]");
    assert_eq!(erase(&tenant, ANN).await, first);
    assert!(tenant.auditor.replay(ReplayEventsRequest::default()).await.iter().any(|e| e.erased));
}
