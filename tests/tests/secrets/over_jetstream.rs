//! Separate processes over JetStream: their logs, what goes through NATS, and what NATS keeps.

use countersign::serve::ServiceName;
use countersign_testkit::NatsServer;
use countersign_tests::{
    cluster::{Cluster, Ground, Layout},
    connect, latin,
    process::{run, text},
};

use crate::{
    callers,
    list::{KNOWN, List},
    one_process::EVERYTHING,
    outside, story,
    tap::Tap,
};

#[tokio::test(flavor = "multi_thread")]
async fn nothing_secret_goes_through_nats_or_is_kept_by_it() {
    let server = NatsServer::start().await;
    let store = server.store();
    let tap = Tap::on(&server).await;
    let layout = Layout::of(1).with_variable("COUNTERSIGN_LOG_FILTER", EVERYTHING);
    let mut cluster = Cluster::start(Ground::JetStream(server), layout).await;
    let mut list = List::personal();
    // Enters at a service that passes most of it on.
    let operator = cluster.operator(ServiceName::Audit, 0).await;
    let channel = connect(cluster.address(ServiceName::Audit, 0).parse().unwrap()).await;
    let tenant = story::tenant(&operator, channel, &mut list).await;
    callers::try_keys(&tenant, &mut list).await;
    let correlation = story::tell(&tenant, &mut list).await;
    story::erase(&tenant, &mut list).await;
    for (service, number) in cluster.replicas() {
        outside::search(cluster.process(service, number).id(), &list);
    }
    let output = run(cluster.operate(["doctor", "--json"])).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    list.is_not_in(&output.stdout, "what the doctor says");
    let log = cluster.logs();
    cluster.stop_all().await;

    assert!(log.contains(&correlation) && log.contains(r#""name":"rpc""#));
    list.is_not_in(log.as_bytes(), "the logs");
    let heard = tap.heard();
    let events = latin(&heard);
    for part in ["ChallengeVerified", "$JS.API.", "countersign_keys", KNOWN] {
        assert!(events.contains(part), "the tap does not hear {part}");
    }
    list.is_not_in(&heard, "what goes through NATS");
    assert!(list.sought.not_below(&store, KNOWN) > 0, "the search does not find what is stored");
}
