//! Replicas share nothing but the log, and still decide as one.

use std::collections::BTreeMap;

use countersign::serve::ServiceName;
use countersign_proto::challenge::{
    ChallengeStatus, GetChallengeRequest, VerificationOutcome, VerifyChallengeRequest,
};
use countersign_testkit::{KurrentDb, NatsCluster, NatsServer};
use countersign_tests::{
    Tenant,
    cluster::{Cluster, Ground, Layout},
    reason,
};
use tokio::task::JoinSet;

use crate::{lazily, tenant};

/// Connections to each replica.
const CONNECTIONS: usize = 8;

async fn exactly_one_of_a_thousand(ground: Ground) {
    let cluster = Cluster::start(ground, Layout::of(2)).await;
    let tenant = tenant(&cluster).await;
    let phone = tenant.enrol("ann").await;
    // The next step: that of the enrolment is spent.
    let soon = countersign_core::Timestamp::from_unix_seconds(tenant.now().unix_seconds() + 30);
    let challenge = tenant.challenge("ann").await;
    let request = VerifyChallengeRequest {
        user_id: "ann".to_owned(),
        challenge_id: challenge.challenge_id.clone(),
        code: phone.code(soon),
        ..Default::default()
    };
    let replicas: Vec<Tenant> = (0..2 * CONNECTIONS)
        .map(|number| tenant.over(&lazily(cluster.address(ServiceName::Challenge, number % 2))))
        .collect();
    let mut calls = JoinSet::new();
    for tenant in replicas.iter().cycle().take(1_000) {
        let (mut challenge, request) = (tenant.platform.challenge(), request.clone());
        calls.spawn(async move { challenge.verify_challenge(request).await });
    }
    let mut verified = 0;
    let mut others = BTreeMap::<String, usize>::new();
    for answer in calls.join_all().await {
        match answer.map(|answer| answer.get_ref().outcome()) {
            Ok(VerificationOutcome::Verified) => verified += 1,
            Ok(other) => *others.entry(format!("{other:?}")).or_default() += 1,
            Err(status) => *others.entry(reason(&status)).or_default() += 1,
        }
    }
    assert_eq!((verified, others), (1, [("CHALLENGE_CLOSED".to_owned(), 999)].into()));
    // What one replica acknowledged the other knows at once.
    for replica in replicas {
        let request = GetChallengeRequest {
            user_id: "ann".to_owned(),
            challenge_id: challenge.challenge_id.clone(),
        };
        let got = replica.platform.challenge().get_challenge(request).await.unwrap();
        assert_eq!(got.into_inner().challenge.unwrap().status(), ChallengeStatus::Verified);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_thousand_equal_codes_at_two_replicas_one_succeeds_on_jetstream() {
    exactly_one_of_a_thousand(Ground::JetStream(NatsServer::start().await)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_thousand_equal_codes_at_two_replicas_one_succeeds_on_three_servers() {
    exactly_one_of_a_thousand(Ground::JetStreamCluster(Box::new(NatsCluster::start().await))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_thousand_equal_codes_at_two_replicas_one_succeeds_on_kurrentdb() {
    let ground = Ground::KurrentDb(KurrentDb::start().await, NatsServer::start().await);
    exactly_one_of_a_thousand(ground).await;
}
