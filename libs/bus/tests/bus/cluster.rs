//! Three servers, of which the one that leads is killed.

use std::time::Duration;

use countersign_bus::{DEFAULT_MAX_AGE, NatsBus, Publisher, PublisherSettings, rebuild};
use countersign_testkit::NatsCluster;
use tokio_util::sync::CancellationToken;

use crate::{test_log::TestLog, world::eventually};

#[tokio::test]
async fn nothing_is_lost_or_repeated_when_the_leader_of_a_cluster_is_killed() {
    let mut cluster = NatsCluster::start().await;
    let bus = NatsBus::create(cluster.connect().await, DEFAULT_MAX_AGE).await.unwrap();
    let log = TestLog::new(1);
    let stop = CancellationToken::new();
    let settings = PublisherSettings {
        look_every: Duration::from_millis(200),
        ..PublisherSettings::default()
    };
    let mut statuses = Vec::new();
    for _ in 0..2 {
        let bus = NatsBus::open(cluster.connect().await).await.unwrap();
        let publisher = Publisher::new(bus, log.clone(), settings.clone());
        statuses.push(publisher.status());
        let stop = stop.clone();
        tokio::spawn(async move { publisher.run(stop).await });
    }
    drop(bus);
    let nats = cluster.connect().await;
    for round in 1..=2_u64 {
        log.grow(2000);
        let half = Some(countersign_eventsourcing::Position(round * 2000 - 1500));
        eventually("it is in the middle", async || {
            statuses.iter().any(|status| status.report().position >= half)
        })
        .await;
        let stream = nats.jetstream().get_stream("countersign_bus").await.unwrap();
        let leader = stream.cached_info().cluster.clone().unwrap().leader.unwrap();
        cluster.server_mut(&leader).kill().await;
        let last = log.grow(500).last().map(|event| event.position);
        eventually("one catches up", async || {
            statuses.iter().any(|status| status.report().position == last)
        })
        .await;
        cluster.server_mut(&leader).restart().await;
    }
    stop.cancel();
    let stream = nats.jetstream().get_stream("countersign_bus").await.unwrap();
    let mut published = Vec::new();
    for sequence in 1..=stream.cached_info().state.last_sequence {
        let message = stream.get_raw_message(sequence).await.unwrap();
        published.push(rebuild(Some(&message.headers), &message.payload).unwrap().1);
    }
    assert_eq!(published, log.events());
}
