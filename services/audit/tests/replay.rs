//! Replaying events: what is sent, in which order, and how it is narrowed down.

mod support;

use bytes::Bytes;
use countersign_proto::{
    audit::ReplayEventsRequest,
    event::{AttemptFailedV1, ChallengeIssued},
};
use futures_util::StreamExt as _;
use prost::Message as _;
use support::{House, auditor, event, events, facts::*, field, reason, wire_at};

/// Positions 0 to 4: the tenant, two sign-ins of Ada and one of Ben, and Ada's answer.
async fn house() -> House {
    let house = House::with_tenants(&["acme"]).await;
    let (ada, ben) = (house.user("acme", "ada"), house.user("acme", "ben"));
    house.record(&ada, evaluated(10), 10).await;
    house.record(&ada, issued(1, 10), 10).await;
    house.record(&ben, issued(2, 20), 20).await;
    house.record(&ada, failed(1, 4, 30), 30).await;
    house
}

#[tokio::test]
async fn events_come_in_the_order_of_the_log() {
    let house = house().await;
    let all = house.positions(auditor("acme"), ReplayEventsRequest::default()).await;
    assert_eq!(all, [0, 1, 2, 3, 4]);
}

#[tokio::test]
async fn an_event_is_told_with_all_that_the_log_holds_of_it() {
    let house = house().await;
    let request = ReplayEventsRequest { after_position: Some(1), limit: 1, ..Default::default() };
    let told = events(house.replay(auditor("acme"), request).await.unwrap()).await;
    let [event] = &told[..] else { unreachable!("one event was asked for") };
    assert_eq!((event.position, event.revision), (2, 0));
    assert_eq!((event.r#type.as_str(), event.schema_version), ("ChallengeIssued", 1));
    assert_eq!(event.event_id, "00000000-0000-0000-0000-000000000002");
    assert_eq!(event.stream, house.user("acme", "ada").challenges().to_string());
    assert_eq!(event.recorded_at, Some(wire_at(10)));
    assert_eq!(event.tenant, "acme");
    assert_eq!(event.requester, "api-key:acme.writer");
    assert_eq!(event.correlation_id, "00000000-0000-0000-0000-0000000000c0");
    assert_eq!(event.causation_id, "00000000-0000-0000-0000-0000000000ca");
    assert_eq!(event.traceparent, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    let payload = event.payload.as_ref().unwrap();
    assert_eq!(payload.type_url, "type.googleapis.com/countersign.event.v1.ChallengeIssued");
    let issued = ChallengeIssued::decode(&payload.value[..]).unwrap();
    assert_eq!(issued.challenge_id, challenge(1).to_string());
}

#[tokio::test]
async fn a_payload_of_an_older_version_is_named_as_the_message_that_it_is() {
    let house = house().await;
    let old = AttemptFailedV1 {
        challenge_id: challenge(1).to_string(),
        attempts_left: 3,
        ..Default::default()
    };
    let stream = house.user("acme", "ada").challenges();
    let bytes = Bytes::from(old.encode_to_vec());
    let position = house.record_bytes(&stream, ("AttemptFailed", 1), bytes, 40).await;
    let request = ReplayEventsRequest { after_position: Some(position - 1), ..Default::default() };
    let told = events(house.replay(auditor("acme"), request).await.unwrap()).await;
    assert_eq!((told[0].r#type.as_str(), told[0].schema_version), ("AttemptFailed", 1));
    let payload = told[0].payload.as_ref().unwrap();
    assert_eq!(payload.type_url, "type.googleapis.com/countersign.event.v1.AttemptFailedV1");
    assert_eq!(AttemptFailedV1::decode(&payload.value[..]), Ok(old));
}

#[tokio::test]
async fn an_event_of_a_newer_release_is_told_as_it_is() {
    let house = house().await;
    let stream = house.user("acme", "ada").challenges();
    house.record_bytes(&stream, ("ChallengeMoved", 7), Bytes::from_static(b"\xff"), 40).await;
    let request = ReplayEventsRequest { after_position: Some(4), ..Default::default() };
    let told = events(house.replay(auditor("acme"), request).await.unwrap()).await;
    assert_eq!((told[0].r#type.as_str(), told[0].schema_version), ("ChallengeMoved", 7));
    assert_eq!(told[0].payload.as_ref().unwrap().value, b"\xff");
}

#[tokio::test]
async fn a_user_is_followed_through_all_streams_and_nobody_else_is() {
    let house = house().await;
    let ada = ReplayEventsRequest { user_id: "ada".to_owned(), ..Default::default() };
    assert_eq!(house.positions(auditor("acme"), ada).await, [1, 2, 4]);
    let unknown = ReplayEventsRequest { user_id: "cyd".to_owned(), ..Default::default() };
    assert_eq!(house.positions(auditor("acme"), unknown).await, [0_u64; 0]);
}

#[tokio::test]
async fn only_the_types_that_were_asked_for_are_told() {
    let house = house().await;
    let types = |names: &[&str]| ReplayEventsRequest {
        event_types: names.iter().map(|name| (*name).to_owned()).collect(),
        ..Default::default()
    };
    let request = types(&["ChallengeIssued", "AttemptFailed"]);
    assert_eq!(house.positions(auditor("acme"), request).await, [2, 3, 4]);
    let Err(refused) = house.replay(auditor("acme"), types(&["ChallengeGuessed"])).await else {
        unreachable!("a type that does not exist was accepted")
    };
    assert_eq!(field(&refused), "event_types");
    assert!(refused.message().contains("docs/events.md"), "{}", refused.message());
}

#[tokio::test]
async fn filters_narrow_each_other_down() {
    let house = house().await;
    let request = ReplayEventsRequest {
        user_id: "ada".to_owned(),
        event_types: vec!["ChallengeIssued".to_owned(), "AttemptFailed".to_owned()],
        from_time: Some(wire_at(11)),
        ..Default::default()
    };
    assert_eq!(house.positions(auditor("acme"), request).await, [4]);
}

#[tokio::test]
async fn times_are_told_apart_although_the_clock_jumps_back() {
    let house = House::with_tenants(&["acme"]).await;
    let ada = house.user("acme", "ada");
    // Positions 1 to 5.
    for seconds in [10, 30, 20, 15, 9] {
        house.record(&ada, evaluated(seconds), seconds).await;
    }
    let between = |from: Option<i64>, until: Option<i64>| ReplayEventsRequest {
        from_time: from.map(wire_at),
        until_time: until.map(wire_at),
        ..Default::default()
    };
    let asked = |request| house.positions(auditor("acme"), request);
    assert_eq!(asked(between(Some(10), Some(30))).await, [1, 3, 4]);
    assert_eq!(asked(between(None, Some(15))).await, [0, 1, 5]);
    assert_eq!(asked(between(Some(15), None)).await, [2, 3, 4]);
    let Err(refused) = house.replay(auditor("acme"), between(Some(10), Some(10))).await else {
        unreachable!("a stretch of time without time in it was accepted")
    };
    assert_eq!(field(&refused), "until_time");
}

#[tokio::test]
async fn a_replay_goes_on_after_a_position_and_ends_after_as_many_as_were_asked_for() {
    let house = house().await;
    let from =
        |after_position, limit| ReplayEventsRequest { after_position, limit, ..Default::default() };
    let asked = |request| house.positions(auditor("acme"), request);
    assert_eq!(asked(from(Some(0), 0)).await, [1, 2, 3, 4]);
    assert_eq!(asked(from(None, 2)).await, [0, 1]);
    assert_eq!(asked(from(Some(2), 1)).await, [3]);
    assert_eq!(asked(from(Some(4), 0)).await, [0_u64; 0]);
    assert_eq!(asked(from(None, 99)).await, [0, 1, 2, 3, 4]);
}

#[tokio::test]
async fn the_limit_counts_only_what_is_told() {
    let house = house().await;
    let request = ReplayEventsRequest {
        event_types: vec!["ChallengeIssued".to_owned()],
        from_time: Some(wire_at(20)),
        limit: 1,
        ..Default::default()
    };
    assert_eq!(house.positions(auditor("acme"), request).await, [3]);
}

#[tokio::test]
async fn a_position_beyond_the_end_of_the_log_is_refused() {
    let house = house().await;
    for (house, after) in [(&house, 5), (&house, u64::MAX), (&House::empty(), 0)] {
        let request = ReplayEventsRequest { after_position: Some(after), ..Default::default() };
        let Err(refused) = house.replay(auditor("platform"), request).await else {
            unreachable!("position {after} was accepted")
        };
        assert_eq!(reason(&refused), "FIELD_INVALID");
        assert_eq!(field(&refused), "after_position");
        assert!(refused.message().contains("the log ends before it"), "{}", refused.message());
    }
}

#[tokio::test]
async fn a_replay_ends_with_what_was_there_when_it_began() {
    let house = house().await;
    let request = ReplayEventsRequest { after_position: Some(2), ..Default::default() };
    let mut items = house.replay(auditor("acme"), request).await.unwrap();
    assert_eq!(event(items.next().await.unwrap().unwrap()).position, 3);
    let later = house.record(&house.user("acme", "ada"), evaluated(50), 50).await;
    let rest = events(items).await;
    assert!(rest.iter().all(|event| event.position < later));
    assert_eq!(rest.len(), 1);
}
