//! How failures slow guessing down (NIST SP 800-63B-4 section 3.2.2).

#![expect(clippy::unwrap_used, reason = "a failed test says so by panicking")]

mod out_of_service;
mod pauses;
mod release;
mod sources;

use std::time::Duration;

use countersign_proto::{
    admin::{FactorSettings, ThrottleSettings},
    challenge::Challenge,
};
use countersign_tests::{House, Phone, Tenant, reason};
use tonic::Status;

/// A tenant with an enrolled user `ann` in a step whose code is not spent.
async fn enrolled(house: &House) -> (Tenant, Phone) {
    let tenant = house.tenant("acme").await;
    let phone = tenant.enrol("ann").await;
    house.clock.advance(Duration::from_secs(30));
    (tenant, phone)
}

fn throttling(throttle: ThrottleSettings) -> FactorSettings {
    FactorSettings { kind: "totp".to_owned(), throttle: Some(throttle), ..Default::default() }
}

fn pause(seconds: i64) -> Option<prost_types::Duration> {
    Some(prost_types::Duration { seconds, nanos: 0 })
}

/// Lets `times` wrong codes be refused, each on a challenge of its own so that no challenge is used up.
async fn fail(tenant: &Tenant, phone: &Phone, times: u32) {
    for _ in 0..times {
        let challenge = tenant.challenge("ann").await;
        tenant.refused("ann", &challenge, &phone.wrong_code(tenant.now())).await;
    }
}

/// Answers a challenge that must be turned away by the throttle.
async fn throttled(tenant: &Tenant, challenge: &Challenge, code: &str) -> Status {
    let status = tenant.verify("ann", challenge, code).await.unwrap_err();
    assert_eq!(reason(&status), "THROTTLED");
    status
}
