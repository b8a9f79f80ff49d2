//! Services over a log that they share: JetStream on one server and on three, beside the embedded log and the echo in the
//! same run; how far the bus is behind the log meanwhile; and how fast a fresh replica catches up.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::Context as _;
use countersign_proto::status::{GetStatusRequest, status_service_client::StatusServiceClient};
use countersign_testkit::{NatsCluster, NatsServer};
use tokio::task::JoinSet;

use crate::{
    args::{Plan, Section},
    backlog,
    client::{Credentials, connect},
    echo,
    load::Load,
    platform::Platform,
    report::{Figure, Report, Unit},
    server::{Ground, RunningServer},
    users, verify,
};

/// How often the bus is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Positions of the log on JetStream count messages above their lowest 16 bits.
const POSITIONS_PER_MESSAGE: u64 = 1 << 16;

/// Measures each engine with the same load, one after another.
pub(crate) async fn measure(plan: &Plan, report: &mut Report) -> anyhow::Result<()> {
    report.section(
        Section::Shared,
        "VerifyChallenge over the embedded log, and over JetStream with a sync for every message, on one server and on three.",
    )?;
    echo::at(plan, report, Section::Shared, plan.shared_callers).await?;
    let embedded = verifications(plan, report, "embedded", Ground::Embedded).await?;
    let one = NatsServer::start().await;
    let ground = Ground::JetStream(one.settings());
    let on_one = verifications(plan, report, "JetStream R1", ground).await?;
    drop(one);
    let three = NatsCluster::start().await;
    let ground = Ground::JetStream(three.settings());
    let on_three = verifications(plan, report, "JetStream R3", ground).await?;
    drop(three);
    for (name, loads) in [("R1", on_one), ("R3", on_three)] {
        for (load, beside) in loads.into_iter().zip(&embedded) {
            let callers = load.callers;
            let ratio = |what: &str, value| {
                let what = format!("JetStream {name} / embedded, {what} at {callers} callers");
                Figure::new(Section::Shared, what, value, Unit::Times)
            };
            report.figure(ratio("requests/s", load.per_second / beside.per_second))?;
            let tail = f64::from(load.p99_us) / f64::from(beside.p99_us);
            report.figure(ratio("p99", tail))?;
        }
    }
    catching_up(plan, report).await
}

/// Loads one process that serves everything over `ground`.
async fn verifications(
    plan: &Plan,
    report: &mut Report,
    name: &'static str,
    ground: Ground,
) -> anyhow::Result<Vec<Load>> {
    let directory = plan.directory()?;
    let is_shared = matches!(ground, Ground::JetStream(_));
    let server = RunningServer::start_on(plan, directory.path(), ground, None).await?;
    let platform = Platform::set_up(&server).await?;
    let (mut users, _) = users::enroll(&server, &platform, plan.shared_users).await?;
    let mut loads = Vec::new();
    for (round, &callers) in plan.shared_callers.iter().enumerate() {
        (users, _) = users::challenge(&server, &platform, users, round).await?;
        users::until_codes_are_fresh(&users).await;
        // What users are told because of their enrolment is not what is measured.
        if is_shared {
            until_calm(server.address, &server.first_key()?).await?;
        }
        let lag = Arc::<AtomicU64>::default();
        let mut looking = JoinSet::new();
        if is_shared {
            looking.spawn(look(server.address, server.first_key()?, Arc::clone(&lag)));
        }
        let load;
        (users, load) = verify::verify(&server, &platform, users, callers, plan.load).await?;
        report.load(Section::Shared, name, load)?;
        loads.push(load);
        if is_shared {
            let messages = lag.load(Ordering::Relaxed) / POSITIONS_PER_MESSAGE;
            let what = format!(
                "{name}: messages that the bus was behind the log at most, at {callers} callers"
            );
            let figure = Figure::new(Section::Shared, what, as_figure(messages), Unit::Count);
            report.figure(figure)?;
        }
    }
    server.stop().await?;
    Ok(loads)
}

/// Waits until nothing waits for any reactor.
async fn until_calm(address: std::net::SocketAddr, key: &str) -> anyhow::Result<()> {
    let channel = connect(address).await?;
    let mut status = StatusServiceClient::with_interceptor(channel, Credentials::new(key, None)?);
    loop {
        let found = status.get_status(GetStatusRequest {}).await?.into_inner();
        if found.followers.iter().all(|follower| follower.pending.unwrap_or(0) == 0) {
            return Ok(());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Looks how far the bus is behind the log, and keeps the most.
async fn look(
    address: std::net::SocketAddr,
    key: String,
    most: Arc<AtomicU64>,
) -> anyhow::Result<()> {
    let channel = connect(address).await?;
    let mut status = StatusServiceClient::with_interceptor(channel, Credentials::new(&key, None)?);
    loop {
        let found = status.get_status(GetStatusRequest {}).await?.into_inner();
        let publisher = found.followers.iter().find(|follower| follower.name == "publisher");
        if let (Some(head), Some(publisher)) = (found.log_head, publisher) {
            most.fetch_max(head.saturating_sub(publisher.position), Ordering::Relaxed);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Fills a log, then starts a replica of notification, which has a read model of all of it.
async fn catching_up(plan: &Plan, report: &mut Report) -> anyhow::Result<()> {
    let nats = NatsServer::start().await;
    let directory = plan.directory()?;
    let ground = Ground::JetStream(nats.settings());
    ground.init(plan, directory.path()).await.context("making the streams")?;
    report.note(format_args!(
        "filling a log with {} events, {} to a message",
        plan.stored_events,
        backlog::TOGETHER
    ))?;
    backlog::fill(nats.connect().await, plan.stored_events).await?;
    let service = Some("notification");
    let replica = RunningServer::start_on(plan, directory.path(), ground, service).await?;
    let took = replica.started.elapsed();
    let what = format!("a fresh replica is ready over {} events", plan.stored_events);
    report.figure(Figure::new(Section::Shared, what, took.as_secs_f64(), Unit::Seconds))?;
    let rate = as_figure(plan.stored_events as u64) / took.as_secs_f64();
    let what = "a fresh replica catches up";
    report.figure(Figure::new(Section::Shared, what, rate, Unit::PerSecond))?;
    replica.stop().await
}

/// Counts stay far below where a float begins to skip numbers.
#[expect(clippy::cast_precision_loss, reason = "counts are below 2^53")]
const fn as_figure(count: u64) -> f64 {
    count as f64
}
