//! Replaying the log by position, time, tenant, user and type, and going on as it grows.

use std::time::Duration;

use countersign_proto::audit::{
    RecordedEvent, ReplayEventsRequest, ReplayEventsResponse, replay_events_response::Item,
};
use countersign_tests::{House, instant, reason};
use tonic::Streaming;

fn types(events: &[RecordedEvent]) -> Vec<&str> {
    events.iter().map(|event| event.r#type.as_str()).collect()
}

fn of(user: &str) -> ReplayEventsRequest {
    ReplayEventsRequest { user_id: user.to_owned(), ..Default::default() }
}

async fn next(items: &mut Streaming<ReplayEventsResponse>) -> Option<Item> {
    let message = tokio::time::timeout(Duration::from_secs(30), items.message()).await;
    message.expect("the next item comes").unwrap().map(|message| message.item.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_is_narrowed_by_user_type_position_time_and_number() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    let phone = tenant.enrol("ann").await;
    tenant.enrol("bob").await;
    house.clock.advance(Duration::from_secs(60));
    let later = house.now();
    let challenge = tenant.challenge("ann").await;
    tenant.verified("ann", &challenge, &phone.code(later)).await;

    let all = tenant.auditor.replay(of("ann")).await;
    let expected = [
        "EnrollmentStarted",
        "EnrollmentConfirmed",
        "DefaultAuthenticatorSet",
        "ChallengeIssued",
        "ChallengeVerified",
    ];
    assert_eq!(types(&all), expected);
    assert!(all.iter().all(|event| event.tenant == "acme"));
    assert!(all.iter().all(|event| event.requester.starts_with("api-key:acme.")));
    assert!(all.is_sorted_by_key(|event| event.position));

    let only = vec!["ChallengeVerified".to_owned(), "EnrollmentStarted".to_owned()];
    let typed = ReplayEventsRequest { event_types: only, ..of("ann") };
    let typed = tenant.auditor.replay(typed).await;
    assert_eq!(types(&typed), ["EnrollmentStarted", "ChallengeVerified"]);

    let [_, second, ..] = all.as_slice() else { panic!("five events") };
    let after = ReplayEventsRequest { after_position: Some(second.position), ..of("ann") };
    assert_eq!(types(&tenant.auditor.replay(after).await), expected.get(2..).unwrap());

    let wire = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
    let from = ReplayEventsRequest { from_time: wire(later.unix_seconds()), ..of("ann") };
    let from = tenant.auditor.replay(from).await;
    assert_eq!(types(&from), ["ChallengeIssued", "ChallengeVerified"]);
    assert!(from.iter().all(|event| instant(event.recorded_at.as_ref().unwrap()) == later));
    let until = ReplayEventsRequest { until_time: wire(later.unix_seconds()), ..of("ann") };
    assert_eq!(types(&tenant.auditor.replay(until).await), expected.get(..3).unwrap());

    let limited = ReplayEventsRequest { limit: 4, ..of("ann") };
    assert_eq!(types(&tenant.auditor.replay(limited).await), expected.get(..4).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_of_the_platform_sees_every_tenant_or_the_one_that_it_names() {
    let house = House::start().await;
    let (acme, globex) = (house.tenant("acme").await, house.tenant("globex").await);
    acme.enrol("ann").await;
    globex.enrol("ann").await;
    let request = || ReplayEventsRequest {
        event_types: vec!["EnrollmentConfirmed".to_owned()],
        ..Default::default()
    };
    let operator = house.operator();
    let tenants = |events: Vec<RecordedEvent>| -> Vec<String> {
        events.into_iter().map(|event| event.tenant).collect()
    };
    assert_eq!(tenants(operator.replay(request()).await), ["acme", "globex"]);
    assert_eq!(tenants(operator.naming("globex").replay(request()).await), ["globex"]);
    assert_eq!(tenants(acme.auditor.replay(request()).await), ["acme"]);
    assert_eq!(tenants(operator.naming("acme").replay(of("ann")).await).len(), 3);
    let unnamed = operator.audit().replay_events(of("ann")).await.unwrap_err();
    assert_eq!(reason(&unnamed), "FIELD_INVALID", "a user is a user of some tenant");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_that_follows_says_where_the_past_ends_and_goes_on_until_the_house_stops() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    tenant.enrol("ann").await;
    let request = ReplayEventsRequest {
        follow: true,
        event_types: vec!["EnrollmentConfirmed".to_owned(), "ChallengeIssued".to_owned()],
        ..Default::default()
    };
    let mut items = tenant.auditor.audit().replay_events(request).await.unwrap().into_inner();
    let Some(Item::Event(past)) = next(&mut items).await else { panic!("the past comes first") };
    assert_eq!(past.r#type, "EnrollmentConfirmed");
    let Some(Item::CaughtUpPosition(_)) = next(&mut items).await else { panic!("caught up") };
    for _ in 0..3 {
        let challenge = tenant.challenge("ann").await;
        let Some(Item::Event(new)) = next(&mut items).await else { panic!("a new event") };
        assert_eq!(new.r#type, "ChallengeIssued");
        assert_eq!(instant(new.recorded_at.as_ref().unwrap()), house.now());
        assert!(challenge.challenge_id.len() == 36 && new.position > past.position);
    }
    house.stop().await;
    assert_eq!(next(&mut items).await, None);
}
