//! Pauses that grow.

use std::time::Duration;

use countersign_core::Timestamp;
use countersign_proto::{admin::ThrottleSettings, event::AuthenticatorThrottled};
use countersign_tests::{House, Told, instant, retry_after};
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::{enrolled, fail, pause, throttled, throttling};

#[tokio::test(flavor = "multi_thread")]
async fn the_fifth_failure_in_a_row_brings_a_pause_and_each_further_one_doubles_it() {
    let house = House::start().await;
    let (tenant, phone) = enrolled(&house).await;
    fail(&tenant, &phone, 5).await;
    for seconds in [30, 60, 120, 240, 480, 960, 1_920, 3_600, 3_600] {
        let challenge = tenant.challenge("ann").await;
        let status = throttled(&tenant, &challenge, &phone.wrong_code(tenant.now())).await;
        assert_eq!(status.code(), Code::ResourceExhausted);
        let whole = Duration::from_secs(seconds);
        assert_eq!(retry_after(&status), Some(whole));
        let until = status.get_details_error_info().unwrap().metadata.get("until").cloned();
        assert_eq!(until, Some(house.now().plus(whole).to_string()));

        let end = house.now().plus(whole);
        house.clock.set(Timestamp::from_unix_micros(end.unix_micros() - 1));
        let challenge = tenant.challenge("ann").await;
        let status = throttled(&tenant, &challenge, &phone.wrong_code(tenant.now())).await;
        assert_eq!(retry_after(&status), Some(Duration::from_micros(1)));
        house.clock.set(end);
        fail(&tenant, &phone, 1).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_sets_its_own_pauses() {
    let house = House::start().await;
    let (tenant, phone) = enrolled(&house).await;
    let throttle = ThrottleSettings {
        free_attempts: 2,
        first_pause: pause(10),
        longest_pause: pause(25),
        hard_limit: 5,
    };
    tenant.set_factor(throttling(throttle)).await;
    fail(&tenant, &phone, 2).await;
    for seconds in [10, 20, 25] {
        let challenge = tenant.challenge("ann").await;
        let status = throttled(&tenant, &challenge, &phone.wrong_code(tenant.now())).await;
        assert_eq!(retry_after(&status), Some(Duration::from_secs(seconds)));
        house.clock.advance(Duration::from_secs(seconds));
        fail(&tenant, &phone, 1).await;
    }
    let challenge = tenant.challenge("ann").await;
    let status = throttled(&tenant, &challenge, &phone.wrong_code(tenant.now())).await;
    assert_eq!(retry_after(&status), None, "only an administrator opens it");
    let events: Vec<AuthenticatorThrottled> = tenant.events("ann", "AuthenticatorThrottled").await;
    let failures: Vec<_> = events.iter().map(|event| event.consecutive_failures).collect();
    assert_eq!(failures, [2, 3, 4, 5]);
    assert_eq!(events.last().unwrap().until, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_code_during_a_pause_is_told_exactly_what_a_wrong_one_is() {
    let house = House::start().await;
    let (tenant, phone) = enrolled(&house).await;
    fail(&tenant, &phone, 5).await;
    let challenge = tenant.challenge("ann").await;
    let before = tenant.history("ann").await;
    let wrong = throttled(&tenant, &challenge, &phone.wrong_code(tenant.now())).await;
    let right = throttled(&tenant, &challenge, &phone.code(tenant.now())).await;
    assert_eq!(Told::by(&right), Told::by(&wrong));
    assert_eq!(tenant.history("ann").await, before, "what was not looked at leaves no trace");
    // It was not spent either.
    let code = phone.code(tenant.now());
    house.clock.advance(Duration::from_secs(30));
    tenant.verified("ann", &challenge, &code).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_throttles_are_listed_while_they_last() {
    let house = House::start().await;
    let (tenant, phone) = enrolled(&house).await;
    fail(&tenant, &phone, 4).await;
    assert_eq!(tenant.throttles("ann").await, []);
    fail(&tenant, &phone, 1).await;
    let throttles = tenant.throttles("ann").await;
    let [throttle] = throttles.as_slice() else { panic!("one throttle, not {throttles:?}") };
    assert_eq!(throttle.authenticator_id, phone.authenticator_id);
    assert_eq!(throttle.consecutive_failures, 5);
    let until = instant(throttle.until.as_ref().unwrap());
    assert_eq!(until.since(house.now()), Duration::from_secs(30));
    assert_eq!(tenant.throttles("bob").await, []);
    house.clock.set(until);
    assert_eq!(tenant.throttles("ann").await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_a_new_challenge_nor_a_restart_resets_the_failures_but_a_success_does() {
    let house = House::start().await;
    let (tenant, phone) = enrolled(&house).await;
    fail(&tenant, &phone, 4).await;
    let house = house.restart().await;
    let tenant = tenant.over(&house.channel());
    fail(&tenant, &phone, 1).await;
    let challenge = tenant.challenge("ann").await;
    throttled(&tenant, &challenge, &phone.code(tenant.now())).await;

    house.clock.advance(Duration::from_secs(30));
    tenant.verified("ann", &challenge, &phone.code(tenant.now())).await;
    fail(&tenant, &phone, 4).await;
    house.clock.advance(Duration::from_secs(30));
    let challenge = tenant.challenge("ann").await;
    tenant.verified("ann", &challenge, &phone.code(tenant.now())).await;
}
