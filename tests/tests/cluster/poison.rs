//! Something that is no event stands in the log: it stops nothing else, and whoever looks after the installation is told
//! which it is.

use std::time::Duration;

use countersign::serve::ServiceName;
use countersign_proto::status::{Follower, GetStatusRequest};
use countersign_testkit::{KurrentDb, NatsServer};
use countersign_tests::{
    cluster::{Cluster, Ground, Layout},
    process::{run, text},
};
use tokio::time::{sleep, timeout};

use crate::{deliveries::assert_sent, lazily, tenant};

const PATIENCE: Duration = Duration::from_secs(30);

/// Puts something that is no event into a delivery's stream, as somebody who has the engine's own tools could.
async fn poison(ground: &Ground) {
    match ground {
        Ground::JetStream(nats) => {
            let nats = nats.connect().await;
            let subject = "countersign_log.deliveries.acme.poison";
            let ack = nats.jetstream().publish(subject, "no envelope".into()).await.unwrap();
            ack.await.unwrap();
        }
        Ground::KurrentDb(double, _) => {
            double.put("deliveries-acme.poison", "DeliverySent", b"no payload", b"no header").await;
        }
        Ground::JetStreamCluster(_) => panic!("one server will do"),
    }
}

/// Waits until every follower of the service that `wants` to has passed one event over.
async fn passed_over(cluster: &Cluster, service: ServiceName) -> Vec<Follower> {
    let operator = cluster.operator(service, 0).await;
    let passed = async {
        loop {
            let status = operator.status().get_status(GetStatusRequest {}).await.unwrap();
            let followers = status.into_inner().followers;
            let passed: Vec<_> = followers.into_iter().filter(|one| one.passed_over > 0).collect();
            if passed.iter().any(|one| one.name.contains("publisher"))
                && passed.iter().any(|one| one.name.contains("deliveries"))
            {
                return passed;
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, passed).await.expect("followers pass the poison over")
}

async fn stops_nothing_else(ground: Ground) {
    let mut cluster = Cluster::start(ground, Layout::of(1)).await;
    let tenant = tenant(&cluster).await;
    tenant.enrol("ann").await;
    poison(&cluster.ground).await;
    tenant.enrol("bob").await;
    for follower in passed_over(&cluster, ServiceName::Notification).await {
        let event = follower.newest_passed_over.first().unwrap();
        assert!(event.place.contains("poison") && !event.problem.is_empty(), "{event:?}");
    }
    assert_sent(&tenant, &[], &cluster).await;
    // A fresh replica catches up over it too.
    let ended = cluster.take(ServiceName::Notification, 0).stop().await;
    cluster.start_one(ServiceName::Notification, 0).await;
    tenant.over(&lazily(cluster.address(ServiceName::Enrollment, 0))).enrol("cid").await;
    assert_sent(&tenant, &[ended.log], &cluster).await;
    let output = run(cluster.operate(["doctor"])).await;
    let found = text(&output.stdout);
    assert!(!output.status.success(), "{found}");
    assert!(found.contains("damage") && found.contains("poison"), "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_event_is_passed_over_and_named_on_jetstream() {
    stops_nothing_else(Ground::JetStream(NatsServer::start().await)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_event_is_passed_over_and_named_on_kurrentdb() {
    let ground = Ground::KurrentDb(KurrentDb::start().await, NatsServer::start().await);
    stops_nothing_else(ground).await;
}
