//! Which steps a code may be of, wherever the clock stands.

use std::time::Duration;

use countersign_core::Timestamp;
use countersign_proto::{
    admin::FactorSettings,
    challenge::{Challenge, VerificationOutcome},
    event::{AttemptFailed, AttemptFailure},
};
use countersign_tests::{House, Phone, Tenant};

/// A step of 30 seconds in microseconds.
const STEP: i64 = 30_000_000;

fn begin_of(step: i64) -> Timestamp {
    Timestamp::from_unix_micros(step * STEP)
}

fn step_at(now: Timestamp) -> i64 {
    now.unix_micros() / STEP
}

/// Answers a fresh challenge of a fresh user at `now` with the code of `step`.
async fn is_accepted(house: &House, tenant: &Tenant, step: i64, now: Timestamp) -> bool {
    let user = format!("user-{}-{}", step, now.unix_micros());
    // Long before, so that nothing near is spent.
    house.clock.set(begin_of(step - 100));
    let phone = tenant.enrol(&user).await;
    house.clock.set(now);
    let challenge = tenant.challenge(&user).await;
    let answer = tenant.verify(&user, &challenge, &phone.code(begin_of(step))).await.unwrap();
    answer.outcome() == VerificationOutcome::Verified
}

#[tokio::test(flavor = "multi_thread")]
async fn the_window_ends_to_the_microsecond() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    let step = step_at(house.now()) + 1_000;
    for skew in [None, Some(0), Some(3), Some(10)] {
        let settings =
            FactorSettings { kind: "totp".to_owned(), totp_skew_steps: skew, ..Default::default() };
        tenant.set_factor(settings).await;
        let steps = i64::from(skew.unwrap_or(1));
        let opens = begin_of(step - steps).unix_micros();
        let closes = begin_of(step + steps + 1).unix_micros();
        for (micros, expected) in
            [(opens - 1, false), (opens, true), (closes - 1, true), (closes, false)]
        {
            let now = Timestamp::from_unix_micros(micros);
            let accepted = is_accepted(&house, &tenant, step, now).await;
            assert_eq!(accepted, expected, "{skew:?} steps, {} us off", micros - opens);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_code_spends_the_earlier_ones_too() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    let phone = tenant.enrol("ann").await;
    let step = step_at(house.now()) + 10;
    house.clock.set(begin_of(step));
    let (first, second) = (tenant.challenge("ann").await, tenant.challenge("ann").await);
    tenant.verified("ann", &first, &phone.code(begin_of(step + 1))).await;
    for earlier in [step - 1, step, step + 1] {
        tenant.refused("ann", &second, &phone.code(begin_of(earlier))).await;
    }
    house.clock.set(begin_of(step + 2));
    tenant.verified("ann", &second, &phone.code(house.now())).await;
}

async fn is_replayed(tenant: &Tenant, phone: &Phone, challenge: &Challenge) {
    tenant.refused("ann", challenge, &phone.code(tenant.now())).await;
    let failed: Vec<AttemptFailed> = tenant.events("ann", "AttemptFailed").await;
    assert_eq!(failed.last().unwrap().reason(), AttemptFailure::Replayed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_back_makes_no_spent_step_good_again() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    let phone = tenant.enrol("ann").await;
    house.clock.advance(Duration::from_secs(3_600));
    let spent_at = house.now();
    let challenge = tenant.challenge("ann").await;
    tenant.verified("ann", &challenge, &phone.code(spent_at)).await;

    // Fewer than the free attempts: what is refused here is refused for being spent.
    for back in [0, 30, 60, 3_570] {
        house.clock.set(Timestamp::from_unix_seconds(spent_at.unix_seconds() - back));
        let challenge = tenant.challenge("ann").await;
        is_replayed(&tenant, &phone, &challenge).await;
    }
    house.clock.set(spent_at.plus(Duration::from_secs(30)));
    let challenge = tenant.challenge("ann").await;
    tenant.verified("ann", &challenge, &phone.code(house.now())).await;
}
