//! How long a server takes to open a long log.

use std::{path::Path, sync::Arc, time::Instant};

use anyhow::Context as _;
use countersign_core::{TenantId, UserKey};
use countersign_domain::{
    user_authenticators::UserAuthenticators, user_challenges::UserChallenges,
};
use countersign_eventlog::embedded::{EmbeddedLog, EmbeddedOptions};
use countersign_eventsourcing::{
    Decider, EncodedEvent, EventLog as _, ExpectedRevision, Metadata, NewEvent, Revision, StreamId,
};
use countersign_proto::enrollment::ListAuthenticatorsRequest;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use uuid::Uuid;

use crate::{
    args::{Plan, Section},
    history,
    platform::{Platform, TENANT},
    report::{Figure, Goal, Report, Unit},
    server::RunningServer,
    users,
};

const CHALLENGE_EVENTS_PER_USER: usize = 97;
const ENROLLMENT_EVENTS: usize = 3;
const EVENTS_PER_USER: usize = CHALLENGE_EVENTS_PER_USER + ENROLLMENT_EVENTS;
const EVENTS_PER_APPEND: usize = 20;
const APPENDS_AT_ONCE: usize = 256;

/// Fills the log of a real data directory, then starts a server on it.
pub(crate) async fn measure(plan: &Plan, report: &mut Report) -> anyhow::Result<()> {
    report.section(
        Section::Opening,
        "From the start of the server's process on a long log to its first answers.",
    )?;
    let directory = plan.directory()?;
    let server = RunningServer::start(plan, directory.path()).await?;
    let platform = Platform::set_up(&server).await?;
    let (users, _) = users::enroll(&server, &platform, 1).await?;
    let user = users.into_iter().next().context("one user was enrolled")?;
    let data = server.data().to_owned();
    server.stop().await?;

    let started = Instant::now();
    let stored = fill(&data, plan.stored_events).await?;
    let seconds = started.elapsed().as_secs_f64();
    report.note(format_args!("{stored} events stored in {seconds:.1} s, to be opened"))?;

    let server = RunningServer::start(plan, directory.path()).await?;
    let serving = server.started.elapsed();
    let platform = platform.at(&server);
    let mut client = platform.enrollment_clients(1).await?.next().context("one client")?;
    let request = ListAuthenticatorsRequest { user_id: user.id, ..Default::default() };
    let listed = client.list_authenticators(request).await?.into_inner();
    let answered = server.started.elapsed();
    anyhow::ensure!(listed.authenticators.len() == 1, "the enrolled authenticator is listed");
    let figure = |what: &str, seconds| Figure::new(Section::Opening, what, seconds, Unit::Seconds);
    let what = format!("opening {stored} events, until health says serving");
    report.figure(figure(&what, serving.as_secs_f64()))?;
    let what = format!("opening {stored} events, until an authenticated answer");
    report.figure(figure(&what, answered.as_secs_f64()).with_goal(Goal::AtMost(2.0)))?;
    server.stop().await
}

/// Appends whole histories of users, many at a time, and returns how many events the log then holds.
async fn fill(data: &Path, count: usize) -> anyhow::Result<u64> {
    let path = data.to_owned();
    let opened =
        tokio::task::spawn_blocking(move || EmbeddedLog::open(&path, EmbeddedOptions::default()));
    let log = Arc::new(opened.await??);
    let users = u64::try_from(count.div_ceil(EVENTS_PER_USER))?;
    let tenant = TenantId::parse(TENANT).map_err(|problem| anyhow::anyhow!("{problem}"))?;
    stream::iter(0..users)
        .map(|user| store_user(&log, &tenant, user))
        .buffer_unordered(APPENDS_AT_ONCE)
        .try_collect::<()>()
        .await?;
    let head = log.head().await?;
    log.close().await;
    Ok(head.map_or(0, |head| head.0 + 1))
}

async fn store_user(log: &EmbeddedLog, tenant: &TenantId, user: u64) -> anyhow::Result<()> {
    let key = UserKey::new(user_hash(user)).to_string();
    let enrollment = history::enrollment(user, &format!("{tenant}.{key}"))?;
    store::<UserAuthenticators>(log, tenant, &key, &enrollment).await?;
    let challenges = history::challenges(user, CHALLENGE_EVENTS_PER_USER)?;
    store::<UserChallenges>(log, tenant, &key, &challenges).await
}

async fn store<D: Decider>(
    log: &EmbeddedLog,
    tenant: &TenantId,
    key: &str,
    events: &[EncodedEvent],
) -> anyhow::Result<()> {
    let named = StreamId::new(D::CATEGORY, tenant, key);
    let stream = named.map_err(|problem| anyhow::anyhow!("{problem}"))?;
    let mut expected = ExpectedRevision::NoStream;
    let mut revision = 0_u64;
    for part in events.chunks(EVENTS_PER_APPEND) {
        let events: Vec<_> = part
            .iter()
            .zip(revision..)
            .map(|(event, revision)| new_event(&stream, revision, event))
            .collect();
        let appended = log.append(&stream, expected, &events).await?;
        let Revision(last) = appended.last_revision;
        expected = ExpectedRevision::Exact(Revision(last));
        revision = last + 1;
    }
    Ok(())
}

fn new_event(stream: &StreamId, revision: u64, event: &EncodedEvent) -> NewEvent {
    let name = format!("{stream}@{revision}");
    let id = Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes());
    NewEvent {
        id,
        event_type: event.event_type.into(),
        schema_version: event.schema_version,
        payload: event.payload.clone(),
        metadata: Metadata {
            recorded_at: history::BEGINNING,
            correlation_id: id,
            causation_id: id,
            requester: "api-key:01h455vb4pex5vsknk084sn02q".into(),
            traceparent: "".into(),
            request_digest: revision,
        },
    }
}

/// Returns a hash that spreads as a keyed hash of user ids does.
fn user_hash(user: u64) -> [u8; 16] {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, &user.to_be_bytes()).into_bytes()
}
