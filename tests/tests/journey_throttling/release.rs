//! The hundredth failure, and who opens what it closed.

use std::time::Duration;

use countersign_proto::{
    admin::ThrottleSettings, challenge::ReleaseThrottleRequest, event::AuthenticatorThrottled,
};
use countersign_tests::{House, Phone, Told, reason, retry_after};

use crate::{enrolled, fail, pause, throttled, throttling};

fn release(phone: &Phone) -> ReleaseThrottleRequest {
    ReleaseThrottleRequest {
        user_id: "ann".to_owned(),
        authenticator_id: phone.authenticator_id.clone(),
        ..Default::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_hundred_failures_only_an_administrator_opens_it() {
    let house = House::start().await;
    let (tenant, phone) = enrolled(&house).await;
    // All of them free, so that nothing but the limit that NIST sets is left.
    let throttle = ThrottleSettings { free_attempts: 100, ..Default::default() };
    tenant.set_factor(throttling(throttle)).await;
    fail(&tenant, &phone, 99).await;
    assert_eq!(tenant.throttles("ann").await, []);
    fail(&tenant, &phone, 1).await;
    let challenge = tenant.challenge("ann").await;
    let wrong = throttled(&tenant, &challenge, &phone.wrong_code(tenant.now())).await;
    assert_eq!(retry_after(&wrong), None);
    let right = throttled(&tenant, &challenge, &phone.code(tenant.now())).await;
    assert_eq!(Told::by(&right), Told::by(&wrong));
    let throttles = tenant.throttles("ann").await;
    let [throttle] = throttles.as_slice() else { panic!("one throttle, not {throttles:?}") };
    assert_eq!((throttle.consecutive_failures, throttle.until), (100, None));

    house.clock.advance(Duration::from_secs(10 * 365 * 24 * 3_600));
    let challenge = tenant.challenge("ann").await;
    throttled(&tenant, &challenge, &phone.code(tenant.now())).await;

    tenant.admin.challenge().release_throttle(release(&phone)).await.unwrap();
    assert_eq!(tenant.throttles("ann").await, []);
    tenant.verified("ann", &challenge, &phone.code(tenant.now())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn by_default_pauses_lead_up_to_the_hundredth_failure() {
    let house = House::start().await;
    let (tenant, phone) = enrolled(&house).await;
    for _ in 0..100 {
        fail(&tenant, &phone, 1).await;
        house.clock.advance(Duration::from_secs(3_600));
    }
    let challenge = tenant.challenge("ann").await;
    let status = throttled(&tenant, &challenge, &phone.code(tenant.now())).await;
    assert_eq!(retry_after(&status), None);
    let events: Vec<AuthenticatorThrottled> = tenant.events("ann", "AuthenticatorThrottled").await;
    assert_eq!(events.len(), 96, "one for each failure from the fifth on");
    assert_eq!(events.iter().filter(|event| event.until.is_none()).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_clears_the_failures_and_there_must_be_some() {
    let house = House::start().await;
    let (tenant, phone) = enrolled(&house).await;
    let mut service = tenant.admin.challenge();
    let nothing = service.release_throttle(release(&phone)).await.unwrap_err();
    assert_eq!(reason(&nothing), "NOT_THROTTLED");
    fail(&tenant, &phone, 5).await;
    service.release_throttle(release(&phone)).await.unwrap();
    fail(&tenant, &phone, 4).await;
    assert_eq!(tenant.throttles("ann").await, [], "the count begins again");
    let platform = tenant.platform.challenge().release_throttle(release(&phone)).await.unwrap_err();
    assert_eq!(reason(&platform), "PERMISSION_DENIED");
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_nist_does_not_allow_are_refused() {
    let house = House::start().await;
    let (tenant, _) = enrolled(&house).await;
    let unfit = [
        ThrottleSettings { hard_limit: 101, ..Default::default() },
        ThrottleSettings { free_attempts: 101, ..Default::default() },
        ThrottleSettings { first_pause: pause(0), ..Default::default() },
        ThrottleSettings { longest_pause: pause(24 * 3_600 + 1), ..Default::default() },
    ];
    for throttle in unfit {
        let request = countersign_proto::admin::SetFactorSettingsRequest {
            settings: Some(throttling(throttle)),
            ..Default::default()
        };
        let refused = tenant.admin.admin().set_factor_settings(request).await.unwrap_err();
        assert_eq!(reason(&refused), "FIELD_INVALID", "{throttle:?}");
    }
}
