//! Where replicas share the keys, one of them seals everything anew, and the others follow.

use std::sync::Arc;

use countersign::serve::ServiceName;
use countersign_proto::event::SecretsResealed;
use countersign_service::SystemClock;
use countersign_testkit::NatsServer;
use countersign_tests::{
    Tenant,
    aftermath::{assert_log_holds_once, settle},
    cluster::{Cluster, Ground, Layout},
    connect,
    load::{Load, verifications_in_the_end, widen},
};

use crate::{begin, is_complete, until};

const PLATFORMS: usize = 3;
const ROTATIONS: u32 = 2;

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_goes_on_though_a_replica_is_killed_and_nobody_loses_anything() {
    let ground = Ground::JetStream(NatsServer::start().await);
    let mut cluster = Cluster::start(ground, Layout::of(2)).await;
    let operator = cluster.operator(ServiceName::Enrollment, 0).await;
    let channel = connect(cluster.address(ServiceName::Enrollment, 0).parse().unwrap()).await;
    let tenant = Tenant::create(&operator, channel, "acme", Arc::new(SystemClock)).await;
    widen(&tenant).await;
    let lazily = |service, number| {
        let endpoint = format!("http://{}", cluster.address(service, number));
        tonic::transport::Endpoint::from_shared(endpoint).unwrap().connect_lazy()
    };
    let platforms = (0..PLATFORMS).map(|number| lazily(ServiceName::Challenge, number % 2));
    let load = Load::insisting(platforms.map(|channel| tenant.over(&channel)).collect(), "user");
    let audit = lazily(ServiceName::Audit, 0);
    // Challenge does not seal anything anew: it tells how far the others have come.
    let operator = cluster.operator(ServiceName::Challenge, 0).await;
    for number in 1..=ROTATIONS {
        let moment = load.progress().answered + 30;
        load.until(|progress| progress.answered >= moment).await;
        begin(&operator, &format!("rotate-{number}")).await.unwrap();
        if number % 2 == 0 {
            for replica in 0..2 {
                let ended = cluster.take(ServiceName::Enrollment, replica).kill().await;
                assert!(ended.status.code().is_none(), "it ended by itself: {}", ended.log);
                cluster.start_one(ServiceName::Enrollment, replica).await;
            }
        }
        until(&operator, |seen| seen.rotation == number && is_complete(seen)).await;
    }
    let moment = load.progress().answered + 50;
    load.until(|progress| progress.answered >= moment).await;
    let noted = load.stop().await;
    let users: Vec<_> = noted.enrolled.iter().map(|enrolled| enrolled.user.clone()).collect();
    let tenant = tenant.over(&audit);
    let acknowledged = settle(&tenant, noted).await;
    assert_log_holds_once(verifications_in_the_end(&tenant).await, &acknowledged);
    // Whoever was there for all of it was sealed anew each time, and once each time.
    let first = users.iter().min_by_key(|user| (user.len(), (*user).clone())).unwrap();
    let resealed: Vec<SecretsResealed> = tenant.events(first, "SecretsResealed").await;
    let told: Vec<_> = resealed.iter().map(|event| event.rotation).collect();
    assert_eq!(told, (1..=ROTATIONS).collect::<Vec<_>>(), "{first}");
    cluster.stop_all().await;
}
