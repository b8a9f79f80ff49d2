//! `kill -9` of any service, of the JetStream leader, and of NATS altogether, at random moments under load: nothing that was
//! acknowledged is lost, no code is accepted twice, no message leaves that the log does not announce, and whoever repeats a
//! request is answered in the end. Every answer comes in time, whatever is away; the load checks each.
//!
//! Most blows pass unnoticed, and should: platforms call nothing but challenge, a call that is passed on goes to the other
//! replica, and an outage may be over before anyone asks. So that no test passes without a fault that was one, the first
//! blow of each hits what platforms cannot do without, and lasts until it was felt. Where and how long the others hit is left
//! to the seed.

use std::{env, time::Duration};

use countersign::serve::ServiceName;
use countersign_testkit::{KurrentDb, NatsCluster, NatsServer};
use countersign_tests::{
    Fate,
    aftermath::{assert_log_holds_once, settle},
    cluster::{Cluster, Ground, Layout},
    load::{Load, verifications_in_the_end},
};
use tokio::time::{sleep, timeout};

use crate::{deliveries::assert_sent, insisting, lazily, tenant};

const PLATFORMS: usize = 6;

/// How long it may take until a platform notices what none can miss: far longer than it does.
const PATIENCE: Duration = Duration::from_secs(60);

/// How many times something is killed: more with `COUNTERSIGN_TEST_ROUNDS`.
fn rounds(usual: u64) -> u64 {
    let given = env::var_os("COUNTERSIGN_TEST_ROUNDS");
    given.map_or(usual, |rounds| rounds.to_str().unwrap().parse().unwrap())
}

/// One of the times that something is killed.
struct Blow<'a> {
    fate: &'a Fate,
    load: &'a Load,
    /// Whether it has to be felt: true of the first.
    must_be_felt: bool,
}

impl Blow<'_> {
    /// Leaves away what was killed: for as long as is drawn, `longest` milliseconds at most.
    async fn passes(&self, longest: u64) {
        sleep(Duration::from_millis(self.fate.below(longest))).await;
    }

    /// The same, and where it must be felt, on until a platform had to ask again. Only for what no platform can do without:
    /// as long as that is away, all who need it ask again and again.
    async fn is_noticed(&self, longest: u64) {
        let before = self.load.progress().repeated;
        self.passes(longest).await;
        if self.must_be_felt {
            let noticed = self.load.until(|progress| progress.repeated > before);
            timeout(PATIENCE, noticed).await.expect("nobody noticed anything");
        }
    }
}

/// Runs a load over two replicas of every service while `fault` happens again and again, then checks everything.
async fn survives(
    ground: Ground,
    usual: u64,
    fault: impl AsyncFn(&mut Cluster, &Blow<'_>, &mut Vec<String>),
) {
    let fate = Fate::draw();
    let mut cluster = Cluster::start(ground, Layout::of(2)).await;
    let tenant = tenant(&cluster).await;
    let mut logs = Vec::new();
    let load = insisting(&cluster, &tenant, "user", PLATFORMS).await;
    for round in 0..rounds(usual) {
        let moment = load.progress().answered + 5 + fate.below(60);
        load.until(|progress| progress.answered >= moment).await;
        let blow = Blow { fate: &fate, load: &load, must_be_felt: round == 0 };
        fault(&mut cluster, &blow, &mut logs).await;
    }
    let moment = load.progress().answered + 50;
    load.until(|progress| progress.answered >= moment).await;
    let noted = load.stop().await;
    assert!(noted.lost.is_empty());
    let tenant = tenant.over(&lazily(cluster.address(ServiceName::Audit, 0)));
    let acknowledged = settle(&tenant, noted).await;
    assert_log_holds_once(verifications_in_the_end(&tenant).await, &acknowledged);
    assert_sent(&tenant, &logs, &cluster).await;
    cluster.stop_all().await;
}

/// Kills one replica of any service, and starts it again after a while. The platforms enter through challenge, half of them
/// through each replica and without another to go to, so that this is what they notice.
async fn kill_a_replica(cluster: &mut Cluster, blow: &Blow<'_>, logs: &mut Vec<String>) {
    let mut all = cluster.replicas();
    all.retain(|(service, _)| !blow.must_be_felt || *service == ServiceName::Challenge);
    let chosen = usize::try_from(blow.fate.below(all.len() as u64)).unwrap();
    let (service, number) = *all.get(chosen).unwrap();
    let ended = cluster.take(service, number).kill().await;
    logs.push(ended.log);
    blow.is_noticed(500).await;
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
    survives(ground, 2, async |cluster, blow, _| {
        let Ground::JetStreamCluster(nats) = &mut cluster.ground else { panic!("three servers") };
        let leader = nats.leader_of("countersign_log").await;
        nats.server_mut(&leader).kill().await;
        blow.passes(12_000).await;
        if blow.must_be_felt {
            // Calls that are passed on are repeated until another server leads, so that platforms may not notice; but
            // another one leads.
            assert_ne!(nats.leader_of("countersign_log").await, leader);
        }
        nats.server_mut(&leader).restart().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nats_may_be_killed_altogether() {
    let ground = Ground::JetStream(NatsServer::start().await);
    survives(ground, 4, async |cluster, blow, _| {
        let Ground::JetStream(nats) = &mut cluster.ground else { panic!("one server") };
        nats.kill().await;
        blow.is_noticed(6_000).await;
        nats.restart().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kurrentdb_may_go_away_and_nats_too() {
    let ground = Ground::KurrentDb(KurrentDb::start().await, NatsServer::start().await);
    survives(ground, 4, async |cluster, blow, _| {
        let Ground::KurrentDb(kurrentdb, nats) = &mut cluster.ground else { panic!("a double") };
        if blow.fate.below(2) == 0 {
            kurrentdb.stop().await;
            blow.is_noticed(6_000).await;
            kurrentdb.start_again().await;
        } else {
            // The keys of new users lie there.
            nats.kill().await;
            blow.is_noticed(6_000).await;
            nats.restart().await;
        }
    })
    .await;
}
