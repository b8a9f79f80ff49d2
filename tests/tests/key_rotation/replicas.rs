//! Replicas that share keys follow a rotation in their directory, without a start.

use std::time::Duration;

use countersign::serve::ServiceName;
use countersign_proto::keys::{AssertionAlgorithm, Keyring, RotateAssertionKeyRequest};
use countersign_testkit::{MovableClock, NatsServer};
use countersign_tests::{
    Tenant,
    cluster::{Cluster, Ground, Layout},
    connect,
    process::{run, text},
    reason,
    tools::said,
};
use std::sync::Arc;

use crate::{
    begin, keyring, retire,
    told::{told, until_told},
    until,
};

const CHALLENGERS: [(ServiceName, usize); 2] =
    [(ServiceName::Challenge, 0), (ServiceName::Challenge, 1)];

async fn at_once<const N: usize>(cluster: &Cluster, words: [&str; N]) -> Keyring {
    let mut command = cluster.operate(words);
    command.arg("--json");
    let printed = said(command).await;
    let json: serde_json::Value = serde_json::from_str(printed.trim()).unwrap();
    let versions = json["versions"].as_array().unwrap();
    Keyring {
        provider: json["provider"].as_str().unwrap().to_owned(),
        shared: json["shared"].as_bool().unwrap(),
        versions: versions.iter().map(|it| it.as_u64().unwrap().try_into().unwrap()).collect(),
        wrapping_version: json["wrappingVersion"].as_u64().unwrap().try_into().unwrap(),
        ..Keyring::default()
    }
}

/// Waits until every replica of challenge sees the keys so.
async fn everywhere(cluster: &Cluster, wanted: impl Fn(&Keyring) -> bool + Copy) {
    for (service, number) in CHALLENGERS {
        until(&cluster.operator(service, number).await, wanted).await;
    }
}

/// Has a user who has a key and one who has none yet prove themselves at each replica.
async fn serves(cluster: &Cluster, clock: &MovableClock, tenant: &Tenant, round: &str) {
    for (service, number) in CHALLENGERS {
        let address = cluster.address(service, number).parse().unwrap();
        let tenant = tenant.over(&connect(address).await);
        let user = format!("{round}-{number}");
        let phone = tenant.enrol(&user).await;
        clock.advance(Duration::from_secs(30));
        let challenge = tenant.challenge(&user).await;
        tenant.verified(&user, &challenge, &phone.code(tenant.now())).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_follow_a_rotation_in_the_directory_of_keys_without_a_start() {
    let directory = tempfile::tempdir().unwrap();
    let shown = directory.path().join("clock");
    let clock = Arc::new(MovableClock::shown_in(&shown).unwrap());
    let ground = Ground::JetStream(NatsServer::start().await);
    let cluster = Cluster::start(ground, Layout::for_journeys(shown)).await;
    let operator = cluster.operator(ServiceName::Challenge, 0).await;
    let channel = connect(cluster.address(ServiceName::Challenge, 0).parse().unwrap()).await;
    let tenant = Tenant::create(&operator, channel, "acme", Arc::clone(&clock) as _).await;
    serves(&cluster, &clock, &tenant, "before").await;

    // Replicas only read the keys.
    assert_eq!(reason(&begin(&operator, 0).await.unwrap_err()), "KEYS_SHARED");
    assert_eq!(reason(&retire(&operator).await.unwrap_err()), "KEYS_SHARED");
    let request = RotateAssertionKeyRequest {
        algorithm: AssertionAlgorithm::EdDsa.into(),
        overlap: Some(prost_types::Duration::default()),
        ..Default::default()
    };
    let status = operator.keys().rotate_assertion_key(request).await.unwrap_err();
    assert_eq!(reason(&status), "KEYS_SHARED");

    // The ring first, everywhere; it does not wrap yet.
    let seen = at_once(&cluster, ["keyring", "rotate", "--offline"]).await;
    assert_eq!((seen.shared, seen.versions, seen.wrapping_version), (true, vec![1, 2], 1));
    everywhere(&cluster, |seen| seen.versions == [1, 2] && seen.wrapping_version == 1).await;
    serves(&cluster, &clock, &tenant, "begun").await;

    let seen = at_once(&cluster, ["keyring", "run"]).await;
    assert_eq!(seen.wrapping_version, 2);
    // Not before every replica must have noticed, whatever has happened meanwhile.
    let output = run(cluster.operate(["keyring", "retire", "--offline"])).await;
    let complaint = text(&output.stderr);
    assert!(!output.status.success(), "it was retired at once");
    assert!(complaint.contains("replicas may not have noticed"), "{complaint}");
    everywhere(&cluster, |seen| seen.wrapping_version == 2).await;
    serves(&cluster, &clock, &tenant, "run").await;

    clock.advance(Duration::from_secs(61));
    let seen = at_once(&cluster, ["keyring", "retire", "--offline"]).await;
    assert_eq!(seen.versions, [2]);
    everywhere(&cluster, |seen| seen.versions == [2]).await;
    serves(&cluster, &clock, &tenant, "retired").await;

    let kid = keyring(&operator).await.assertion_keys[0].kid.clone();
    let words =
        ["keyring", "assertion", "rotate", "--offline", "--algorithm", "eddsa", "--overlap", "0s"];
    let printed = said(cluster.operate(words)).await;
    assert!(printed.contains(&kid) && printed.contains("EdDSA"), "{printed}");
    everywhere(&cluster, |seen| seen.assertion_keys.len() == 2 && seen.assertion_keys[1].signs)
        .await;

    // Many saw each change, and the log tells of each once.
    let first = ["KeyVersionAdded", "AssertionKeyPublished"];
    let steps = ["KeyVersionAdded", "KeyVersionsRetired", "AssertionKeyPublished"];
    until_told(&operator, &[&first[..], &steps[..]].concat()).await;
    assert_eq!(told(&operator).await.len(), 5);
    let found = said(cluster.operate(["doctor"])).await;
    assert!(!found.contains("damage"), "{found}");
}
