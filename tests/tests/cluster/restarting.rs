//! All replicas are restarted in order, one after another, under load: whoever repeats what was not answered notices
//! nothing.

use countersign::serve::ServiceName;
use countersign_testkit::NatsServer;
use countersign_tests::{
    aftermath::{assert_log_holds_once, settle},
    cluster::{Cluster, Ground, Layout},
    load::verifications,
};

use crate::{deliveries::assert_sent, insisting, lazily, tenant};

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_fails_nobody_who_asks_again() {
    let ground = Ground::JetStream(NatsServer::start().await);
    let mut cluster = Cluster::start(ground, Layout::of(2)).await;
    let tenant = tenant(&cluster).await;
    let load = insisting(&cluster, &tenant, "user", 6).await;
    let mut logs = Vec::new();
    for (service, number) in cluster.replicas() {
        let moment = load.progress().answered + 20;
        load.until(|progress| progress.answered >= moment).await;
        let ended = cluster.take(service, number).stop().await;
        assert!(ended.status.success(), "{}", ended.log);
        logs.push(ended.log);
        cluster.start_one(service, number).await;
    }
    let noted = load.stop().await;
    let tenant = tenant.over(&lazily(cluster.address(ServiceName::Audit, 0)));
    let acknowledged = settle(&tenant, noted).await;
    assert_log_holds_once(verifications(&tenant).await, &acknowledged);
    assert_sent(&tenant, &logs, &cluster).await;
    cluster.stop_all().await;
}
