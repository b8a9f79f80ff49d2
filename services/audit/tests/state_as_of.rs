//! How a user stood at a time.

#![expect(clippy::unwrap_used, reason = "a failed test says so by panicking")]

mod support;

use bytes::Bytes;
use countersign_domain::{policy::MfaRequirement, user_challenges::Consumed};
use countersign_proto::{
    audit::{GetStateAsOfRequest, GetStateAsOfResponse, ReplayEventsRequest},
    common::{self, AuthenticatorStatus},
};
use support::{House, auditor, facts::*, field, reason, told, wire_at};
use tonic::Code;

fn ada(seconds: Option<i64>) -> GetStateAsOfRequest {
    GetStateAsOfRequest { user_id: "ada".to_owned(), as_of: seconds.map(wire_at) }
}

async fn state(house: &House, seconds: i64) -> GetStateAsOfResponse {
    house.state_as_of(auditor("acme"), ada(Some(seconds))).await.unwrap()
}

/// Ada enrols, mistypes, proves herself, and loses the authenticator; the tenant changes its mind at 45.
async fn history() -> House {
    let house = House::with_tenants(&["acme"]).await;
    let ada = house.user("acme", "ada");
    let phone = name(&house.foundation, &ada, "Phone").await;
    let facts = [
        (10, started(1, &phone, 10)),
        (20, confirmed(1, 20)),
        (20, default_set(1)),
        (30, evaluated(30)),
        (31, issued(1, 31)),
        (40, failed(1, 4, 40)),
        (40, throttled(1, Some(70))),
        (45, requirement_set(MfaRequirement::Never)),
        (80, verified(1, Consumed::MovingFactor(9), 80)),
        (90, suspended(1)),
        (95, reinstated(1)),
        (99, removed(1, 99)),
    ];
    for (seconds, fact) in facts {
        house.record(&ada, fact, seconds).await;
    }
    house
}

/// A state in a few words: the authenticator, whether it is preferred, attempts left on the challenge, throttled or
/// not, what the tenant requires, events folded.
type Summary = (Option<AuthenticatorStatus>, bool, Option<u32>, bool, common::MfaRequirement, u64);

fn summary(state: &GetStateAsOfResponse) -> Summary {
    let authenticator = state.authenticators.first();
    assert!(state.authenticators.len() < 2 && state.open_challenges.len() < 2);
    (
        authenticator.map(common::Authenticator::status),
        authenticator.is_some_and(|authenticator| authenticator.is_default),
        state.open_challenges.first().map(|open| open.attempts_left),
        !state.throttles.is_empty(),
        state.mfa_requirement(),
        state.events_folded,
    )
}

#[tokio::test]
async fn a_user_stood_at_every_time_as_the_events_until_then_say() {
    use AuthenticatorStatus::{Active, Pending, Removed, Suspended};
    use common::MfaRequirement::{Always, Never};
    let house = history().await;
    let expected: [(i64, Summary); 16] = [
        (9, (None, false, None, false, Always, 0)),
        (10, (Some(Pending), false, None, false, Always, 1)),
        (19, (Some(Pending), false, None, false, Always, 1)),
        (20, (Some(Active), true, None, false, Always, 3)),
        (30, (Some(Active), true, None, false, Always, 4)),
        (31, (Some(Active), true, Some(5), false, Always, 5)),
        (39, (Some(Active), true, Some(5), false, Always, 5)),
        (40, (Some(Active), true, Some(4), true, Always, 7)),
        (45, (Some(Active), true, Some(4), true, Never, 7)),
        (69, (Some(Active), true, Some(4), true, Never, 7)),
        (70, (Some(Active), true, Some(4), false, Never, 7)),
        (80, (Some(Active), true, None, false, Never, 8)),
        (89, (Some(Active), true, None, false, Never, 8)),
        (90, (Some(Suspended), true, None, false, Never, 9)),
        (95, (Some(Active), true, None, false, Never, 10)),
        (99, (Some(Removed), false, None, false, Never, 11)),
    ];
    for (seconds, expected) in expected {
        let state = state(&house, seconds).await;
        assert_eq!(summary(&state), expected, "at second {seconds}");
        assert_eq!(state.as_of, Some(wire_at(seconds)));
    }
}

#[tokio::test]
async fn a_state_is_told_with_all_that_is_known_of_it() {
    let house = history().await;
    let state = state(&house, 40).await;
    let authenticator = &state.authenticators[0];
    assert_eq!(authenticator.authenticator_id, authenticator_text(1));
    assert_eq!(
        (authenticator.kind.as_str(), authenticator.display_name.as_str()),
        ("totp", "Phone")
    );
    assert_eq!(authenticator.confirmed_at, Some(wire_at(20)));
    let open = &state.open_challenges[0];
    assert_eq!(
        (open.challenge_id.as_str(), open.application_id.as_str()),
        (&*challenge(1).to_string(), "vpn")
    );
    assert_eq!((open.created_at, open.expires_at), (Some(wire_at(31)), Some(wire_at(331))));
    let throttle = &state.throttles[0];
    assert_eq!(throttle.authenticator_id, authenticator_text(1));
    assert_eq!((throttle.consecutive_failures, throttle.until), (5, Some(wire_at(70))));
}

fn authenticator_text(n: u8) -> String {
    authenticator(n).to_string()
}

#[tokio::test]
async fn a_challenge_lapses_by_itself() {
    let house = House::with_tenants(&["acme"]).await;
    house.record(&house.user("acme", "ada"), issued(1, 10), 10).await;
    assert_eq!(state(&house, 309).await.open_challenges.len(), 1);
    assert_eq!(state(&house, 310).await.open_challenges.len(), 0);
}

#[tokio::test]
async fn codes_that_were_used_later_were_still_there() {
    let house = House::with_tenants(&["acme"]).await;
    let ada = house.user("acme", "ada");
    house.record(&ada, codes_issued(1, 1, 10), 10).await;
    let code = Consumed::Code { generation: 1, index: 3 };
    house.record(&ada, issued(1, 20), 20).await;
    house.record(&ada, verified(1, code, 30), 30).await;
    assert_eq!(state(&house, 29).await.authenticators[0].codes_remaining, Some(10));
    assert_eq!(state(&house, 30).await.authenticators[0].codes_remaining, Some(9));
}

#[tokio::test]
async fn the_past_of_an_erased_user_keeps_its_form_and_loses_the_name() {
    let house = history().await;
    let before = state(&house, 40).await;
    let ada = house.user("acme", "ada");
    house.foundation.vault.erase(&ada.tenant, ada.key).await.unwrap();
    let mut expected = before.clone();
    expected.authenticators[0].display_name = "[erased]".to_owned();
    assert_ne!(expected, before);
    assert_eq!(state(&house, 40).await, expected);
}

#[tokio::test]
async fn the_time_is_now_if_none_is_given_or_it_is_yet_to_come() {
    let house = history().await;
    house.set_clock(50);
    for asked in [ada(None), ada(Some(60)), ada(Some(50))] {
        let state = house.state_as_of(auditor("acme"), asked).await.unwrap();
        assert_eq!(state.as_of, Some(wire_at(50)));
        assert_eq!(state.events_folded, 7);
    }
}

#[tokio::test]
async fn a_user_of_whom_nothing_is_known_has_an_empty_state() {
    let house = history().await;
    let cyd = GetStateAsOfRequest { user_id: "cyd".to_owned(), as_of: Some(wire_at(99)) };
    let state = house.state_as_of(auditor("acme"), cyd).await.unwrap();
    let expected = GetStateAsOfResponse {
        as_of: Some(wire_at(99)),
        mfa_requirement: common::MfaRequirement::Never.into(),
        ..Default::default()
    };
    assert_eq!(state, expected);
}

#[tokio::test]
async fn nothing_was_in_force_before_the_tenant_was_created() {
    let house = House::empty();
    house.record(&house.user("acme", "ada"), tenant_created(100), 100).await;
    assert_eq!(state(&house, 99).await.mfa_requirement(), common::MfaRequirement::Unspecified);
    assert_eq!(state(&house, 100).await.mfa_requirement(), common::MfaRequirement::Always);
}

#[tokio::test]
async fn as_many_events_are_folded_as_a_replay_up_to_then_tells() {
    let house = history().await;
    // The clock was behind for a moment.
    house.record(&house.user("acme", "ada"), evaluated(25), 25).await;
    for seconds in [0, 20, 25, 40, 99, 100] {
        let request = ReplayEventsRequest {
            user_id: "ada".to_owned(),
            until_time: Some(prost_types::Timestamp { seconds, nanos: 1 }),
            ..Default::default()
        };
        let told = house.positions(auditor("acme"), request).await;
        assert_eq!(state(&house, seconds).await.events_folded, told.len() as u64, "{seconds}");
    }
}

#[tokio::test]
async fn damage_is_named_from_when_on_it_matters() {
    let house = history().await;
    let stream = house.user("acme", "ada").challenges();
    let payload = Bytes::from_static(b"\xff");
    house.record_bytes(&stream, ("ChallengeMoved", 1), payload.clone(), 200).await;
    house.record(&house.user("acme", "ada"), issued(2, 210), 210).await;
    assert_eq!(state(&house, 199).await.events_folded, 11);
    let status = house.state_as_of(auditor("acme"), ada(Some(200))).await.unwrap_err();
    assert_eq!((status.code(), reason(&status)), (Code::DataLoss, "DATA_DAMAGED".to_owned()));
    assert!(!told(&status).contains("ChallengeMoved"), "the source reached the caller");
}

#[tokio::test]
async fn a_known_type_with_a_payload_that_is_no_message_is_damage() {
    let house = history().await;
    let stream = house.user("acme", "ada").sign_ins();
    house.record_bytes(&stream, ("SignInEvaluated", 1), Bytes::from_static(b"\xff"), 200).await;
    let status = house.state_as_of(auditor("acme"), ada(Some(200))).await.unwrap_err();
    assert_eq!(reason(&status), "DATA_DAMAGED");
}

#[tokio::test]
async fn a_request_is_read_before_anything_else() {
    let house = history().await;
    let nobody = GetStateAsOfRequest { user_id: String::new(), as_of: None };
    let status = house.state_as_of(auditor("acme"), nobody).await.unwrap_err();
    assert_eq!((status.code(), field(&status).as_str()), (Code::InvalidArgument, "user_id"));
    let never = GetStateAsOfRequest {
        as_of: Some(prost_types::Timestamp { seconds: 0, nanos: -1 }),
        ..ada(None)
    };
    let status = house.state_as_of(auditor("acme"), never).await.unwrap_err();
    assert_eq!((status.code(), field(&status).as_str()), (Code::InvalidArgument, "as_of"));
}
