//! WatchChallenge shows each state, and ends with the challenge or with the server.

use std::time::Duration;

use countersign_core::Timestamp;
use countersign_proto::challenge::{
    CancelChallengeRequest, Challenge, ChallengeStatus, WatchChallengeRequest,
    WatchChallengeResponse,
};
use countersign_tests::{House, Phone, Tenant, instant, reason};
use tonic::{Status, Streaming};

use crate::soon;

/// A tenant with an enrolled user `ann` in a step whose code is not spent, and a challenge.
async fn challenged(house: &House) -> (Tenant, Phone, Challenge) {
    let tenant = house.tenant("acme").await;
    let phone = tenant.enrol("ann").await;
    house.clock.advance(Duration::from_secs(30));
    let challenge = tenant.challenge("ann").await;
    (tenant, phone, challenge)
}

struct Watch(Streaming<WatchChallengeResponse>);

impl Watch {
    async fn open(tenant: &Tenant, challenge_id: &str) -> Result<Self, Status> {
        let request = WatchChallengeRequest {
            user_id: "ann".to_owned(),
            challenge_id: challenge_id.to_owned(),
        };
        let mut service = tenant.platform.challenge();
        Ok(Self(soon(service.watch_challenge(request)).await?.into_inner()))
    }

    /// Returns the next state; `None` at the end.
    async fn next(&mut self) -> Option<Challenge> {
        soon(self.0.message()).await.unwrap().map(|shown| shown.challenge.unwrap())
    }

    async fn shows(&mut self, status: ChallengeStatus, attempts_left: u32) {
        let shown = self.next().await.expect("another state");
        assert_eq!((shown.status(), shown.attempts_left), (status, attempts_left));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_shows_every_attempt_and_ends_with_the_right_one() {
    let house = House::start().await;
    let (tenant, phone, challenge) = challenged(&house).await;
    let mut watch = Watch::open(&tenant, &challenge.challenge_id).await.unwrap();
    assert_eq!(watch.next().await.as_ref(), Some(&challenge));
    for left in [4, 3] {
        tenant.refused("ann", &challenge, &phone.wrong_code(tenant.now())).await;
        watch.shows(ChallengeStatus::Pending, left).await;
    }
    // What happens to another challenge of the user is not shown.
    let other = tenant.challenge("ann").await;
    tenant.refused("ann", &other, &phone.wrong_code(tenant.now())).await;
    let proof = tenant.verified("ann", &challenge, &phone.code(tenant.now())).await.proof;
    let last = watch.next().await.unwrap();
    assert_eq!((last.status(), last.proof), (ChallengeStatus::Verified, proof));
    assert_eq!(watch.next().await, None);

    let mut late = Watch::open(&tenant, &challenge.challenge_id).await.unwrap();
    late.shows(ChallengeStatus::Verified, 3).await;
    assert_eq!(late.next().await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_ends_however_the_challenge_ends() {
    let house = House::start().await;
    let (tenant, phone, exhausted) = challenged(&house).await;
    let canceled = tenant.challenge("ann").await;
    let mut watches = Vec::new();
    for challenge in [&exhausted, &canceled] {
        let mut watch = Watch::open(&tenant, &challenge.challenge_id).await.unwrap();
        watch.shows(ChallengeStatus::Pending, 5).await;
        watches.push(watch);
    }
    let [exhausting, canceling] = watches.as_mut_slice() else { panic!("two watches") };
    for left in (1..5).rev() {
        tenant.refused("ann", &exhausted, &phone.wrong_code(tenant.now())).await;
        exhausting.shows(ChallengeStatus::Pending, left).await;
    }
    tenant.refused("ann", &exhausted, &phone.wrong_code(tenant.now())).await;
    exhausting.shows(ChallengeStatus::Exhausted, 0).await;
    assert_eq!(exhausting.next().await, None);

    let cancel = CancelChallengeRequest {
        user_id: "ann".to_owned(),
        challenge_id: canceled.challenge_id,
        ..Default::default()
    };
    tenant.platform.challenge().cancel_challenge(cancel).await.unwrap();
    canceling.shows(ChallengeStatus::Canceled, 5).await;
    assert_eq!(canceling.next().await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_sees_a_challenge_give_way_and_lapse() {
    let house = House::start().await;
    let (tenant, _, first) = challenged(&house).await;
    let mut watch = Watch::open(&tenant, &first.challenge_id).await.unwrap();
    watch.shows(ChallengeStatus::Pending, 5).await;
    let mut last = first;
    for _ in 0..5 {
        last = tenant.challenge("ann").await;
    }
    watch.shows(ChallengeStatus::Superseded, 5).await;
    assert_eq!(watch.next().await, None);

    // A watch waits in real time for what is left: let that be little, and then let it be over.
    let expires_at = instant(last.expires_at.as_ref().unwrap());
    house.clock.set(Timestamp::from_unix_micros(expires_at.unix_micros() - 50_000));
    let mut watch = Watch::open(&tenant, &last.challenge_id).await.unwrap();
    watch.shows(ChallengeStatus::Pending, 5).await;
    house.clock.set(expires_at);
    watch.shows(ChallengeStatus::Expired, 5).await;
    assert_eq!(watch.next().await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_ends_when_the_server_stops_and_an_unknown_challenge_is_not_watched() {
    let house = House::start().await;
    let (tenant, _, challenge) = challenged(&house).await;
    let unknown = Watch::open(&tenant, "0198c000-0000-7000-8000-000000000000").await;
    assert_eq!(reason(&unknown.err().unwrap()), "CHALLENGE_NOT_FOUND");
    let mut watch = Watch::open(&tenant, &challenge.challenge_id).await.unwrap();
    watch.shows(ChallengeStatus::Pending, 5).await;
    soon(house.stop()).await;
    assert_eq!(watch.next().await, None);
}
