//! An orderly stop in the middle of work.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use countersign_core::Timestamp;
use countersign_proto::{
    admin::FactorSettings,
    audit::ReplayEventsRequest,
    challenge::{ChallengeStatus, VerificationOutcome},
    event::ChallengeVerified,
};
use countersign_tests::{House, Phone, Tenant};
use prost::Message as _;
use tokio::{sync::Semaphore, task::JoinSet};

use crate::soon;

const CALLERS: usize = 64;

/// How many verifications are acknowledged before the server is told to stop.
const BEFORE_THE_STOP: u32 = 150;

/// Steps to either side of now whose codes are taken.
const SKEW: i64 = 10;

/// Returns the codes that `phone` can still verify with at `now`, the earliest first; the first confirms its enrolment.
fn codes(phone: &Phone, now: Timestamp) -> Vec<String> {
    let at = |step: i64| Timestamp::from_unix_seconds(now.unix_seconds() + 30 * step);
    (-SKEW..=SKEW).map(|step| phone.code(at(step))).collect()
}

/// Verifies until the server is gone; returns the challenges whose verification was acknowledged.
async fn work(
    tenant: Tenant,
    user: String,
    codes: Vec<String>,
    done: Arc<Semaphore>,
) -> Vec<String> {
    let mut acknowledged = Vec::new();
    for code in codes {
        let Ok(challenge) = tenant.try_challenge(&user).await else { break };
        let Ok(answer) = tenant.verify(&user, &challenge, &code).await else { break };
        if answer.outcome() == VerificationOutcome::Verified {
            acknowledged.push(challenge.challenge_id);
            done.add_permits(1);
        }
    }
    acknowledged
}

#[tokio::test(flavor = "multi_thread")]
async fn every_verification_that_was_acknowledged_is_in_the_log_after_a_stop() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    let skew = Some(u32::try_from(SKEW).unwrap());
    let wide =
        FactorSettings { kind: "totp".to_owned(), totp_skew_steps: skew, ..Default::default() };
    tenant.set_factor(wide).await;
    let done = Arc::new(Semaphore::new(0));
    let mut workers = JoinSet::new();
    for index in 0..CALLERS {
        let user = format!("user-{index}");
        let (_, phone) = tenant.start_enrollment(&user).await;
        let mut codes = codes(&phone, tenant.now()).into_iter();
        tenant.confirm(&user, &phone, &codes.next().unwrap()).await.unwrap();
        let caller = tenant.over(&house.connect().await);
        workers.spawn(work(caller, user, codes.collect(), Arc::clone(&done)));
    }
    soon(done.acquire_many(BEFORE_THE_STOP)).await.unwrap().forget();
    let house = soon(house.restart()).await;
    let acknowledged: Vec<String> = soon(workers.join_all()).await.into_iter().flatten().collect();
    assert!(acknowledged.len() >= BEFORE_THE_STOP as usize);
    assert!(acknowledged.len() < CALLERS * 20, "the stop came in the middle");

    let tenant = tenant.over(&house.channel());
    let request = ReplayEventsRequest {
        event_types: vec!["ChallengeVerified".to_owned()],
        ..Default::default()
    };
    let mut times = BTreeMap::<String, usize>::new();
    for event in tenant.auditor.replay(request).await {
        let verified = ChallengeVerified::decode(&*event.payload.unwrap().value).unwrap();
        *times.entry(verified.challenge_id).or_default() += 1;
    }
    assert!(times.values().all(|times| *times == 1), "none is verified twice");
    let in_the_log: BTreeSet<_> = times.keys().collect();
    let missing: Vec<_> = acknowledged.iter().filter(|id| !in_the_log.contains(id)).collect();
    assert!(missing.is_empty(), "{} of {} are lost", missing.len(), acknowledged.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_challenge_that_was_open_at_the_stop_can_be_answered_after_it() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    let phone = tenant.enrol("ann").await;
    house.clock.advance(Duration::from_secs(30));
    let challenge = tenant.challenge("ann").await;
    let house = soon(house.restart()).await;
    let tenant = tenant.over(&house.channel());
    assert_eq!(tenant.look("ann", &challenge).await.unwrap().status(), ChallengeStatus::Pending);
    tenant.verified("ann", &challenge, &phone.code(tenant.now())).await;
}
