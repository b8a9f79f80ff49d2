//! `kill -9` of any service, of the JetStream leader, and of NATS altogether, at random moments under load: nothing that was
//! acknowledged is lost, no code is accepted twice, no message leaves that the log does not announce, and whoever repeats a
//! request is answered in the end. Every answer comes in time, whatever is away; the load checks each.

use std::{env, time::Duration};

use countersign::serve::ServiceName;
use countersign_testkit::{KurrentDb, NatsCluster, NatsServer};
use countersign_tests::{
    Fate,
    aftermath::{assert_log_holds_once, settle},
    cluster::{Cluster, Ground, Layout},
    load::verifications_in_the_end,
};
use tokio::time::sleep;

use crate::{deliveries::assert_sent, insisting, lazily, tenant};

const PLATFORMS: usize = 6;

/// How many times something is killed: more with `COUNTERSIGN_TEST_ROUNDS`.
fn rounds(usual: u64) -> u64 {
    let given = env::var_os("COUNTERSIGN_TEST_ROUNDS");
    given.map_or(usual, |rounds| rounds.to_str().unwrap().parse().unwrap())
}

/// Runs a load over two replicas of every service while `fault` happens again and again, then checks everything.
async fn survives(
    ground: Ground,
    usual: u64,
    fault: impl AsyncFn(&mut Cluster, &Fate, &mut Vec<String>),
) {
    let fate = Fate::draw();
    let mut cluster = Cluster::start(ground, Layout::of(2)).await;
    let tenant = tenant(&cluster).await;
    let mut logs = Vec::new();
    let load = insisting(&cluster, &tenant, "user", PLATFORMS).await;
    for _ in 0..rounds(usual) {
        let moment = load.progress().answered + 5 + fate.below(60);
        load.until(|progress| progress.answered >= moment).await;
        fault(&mut cluster, &fate, &mut logs).await;
    }
    let moment = load.progress().answered + 50;
    load.until(|progress| progress.answered >= moment).await;
    let noted = load.stop().await;
    assert!(noted.lost.is_empty());
    assert!(noted.repeats > 0, "nobody noticed anything");
    let tenant = tenant.over(&lazily(cluster.address(ServiceName::Audit, 0)));
    let acknowledged = settle(&tenant, noted).await;
    assert_log_holds_once(verifications_in_the_end(&tenant).await, &acknowledged);
    assert_sent(&tenant, &logs, &cluster).await;
    cluster.stop_all().await;
}

/// Kills one replica of any service, and starts it again after a while.
async fn kill_a_replica(cluster: &mut Cluster, fate: &Fate, logs: &mut Vec<String>) {
    let all = cluster.replicas();
    let chosen = usize::try_from(fate.below(all.len() as u64)).unwrap();
    let (service, number) = *all.get(chosen).unwrap();
    let ended = cluster.take(service, number).kill().await;
    logs.push(ended.log);
    sleep(Duration::from_millis(fate.below(500))).await;
    cluster.start_one(service, number).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn any_service_may_be_killed_on_jetstream() {
    survives(Ground::JetStream(NatsServer::start().await), 10, kill_a_replica).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn any_service_may_be_killed_on_kurrentdb() {
    let ground = Ground::KurrentDb(KurrentDb::start().await, NatsServer::start().await);
    survives(ground, 10, kill_a_replica).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_that_leads_the_log_may_be_killed() {
    let ground = Ground::JetStreamCluster(Box::new(NatsCluster::start().await));
    survives(ground, 2, async |cluster, fate, _| {
        let Ground::JetStreamCluster(nats) = &mut cluster.ground else { panic!("three servers") };
        let leader = nats.leader_of("countersign_log").await;
        let server = nats.server_mut(&leader);
        server.kill().await;
        sleep(Duration::from_millis(fate.below(12_000))).await;
        server.restart().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nats_may_be_killed_altogether() {
    let ground = Ground::JetStream(NatsServer::start().await);
    survives(ground, 4, async |cluster, fate, _| {
        let Ground::JetStream(nats) = &mut cluster.ground else { panic!("one server") };
        nats.kill().await;
        sleep(Duration::from_millis(fate.below(6_000))).await;
        nats.restart().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kurrentdb_may_go_away_and_nats_too() {
    let ground = Ground::KurrentDb(KurrentDb::start().await, NatsServer::start().await);
    survives(ground, 4, async |cluster, fate, _| {
        let Ground::KurrentDb(kurrentdb, nats) = &mut cluster.ground else { panic!("a double") };
        if fate.below(2) == 0 {
            kurrentdb.stop().await;
            sleep(Duration::from_millis(fate.below(6_000))).await;
            kurrentdb.start_again().await;
        } else {
            nats.kill().await;
            sleep(Duration::from_millis(fate.below(6_000))).await;
            nats.restart().await;
        }
    })
    .await;
}
