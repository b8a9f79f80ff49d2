//! The server goes away and comes back, by commands of whoever runs the check.

use std::time::Duration;

use countersign_eventsourcing::{
    AppendError, EventLog, Filter, FollowItem, FollowStream, Position, ReadError, Revision,
    StreamId,
    contract::{Harness as _, after},
};
use futures_util::TryStreamExt as _;
use tokio::{process::Command, time::timeout};
use uuid::Uuid;

use super::Faults;
use crate::{
    Engine,
    load::{Acknowledged, Maker, append, assert_there},
};

/// Within this everything answers, yes or no.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Within this it goes on after the server is back.
const BACK_WITHIN: Duration = Duration::from_secs(60);

const PAUSE: Duration = Duration::from_millis(100);

/// How often it is asked while it is away.
const ASKED: usize = 3;

/// How many appends come before and after.
const APPENDS: usize = 10;

pub(super) async fn while_the_server_is_away_answers_come_within_10_s(
    engine: &mut Engine,
    faults: &Faults,
) {
    let (log, tenant) = (engine.log(), faults.chance.tenant());
    let hooks = faults.hooks.as_ref().unwrap();
    let start = log.head().await.unwrap();
    let filter = Filter { tenant: Some(tenant.clone()), ..Filter::default() };
    let items = log.follow(&filter, start).await.unwrap();
    let mut maker = Maker::new(tenant.clone(), 0);
    let (stream, mut count, mut acknowledged) = (maker.stream(0), 0, Vec::new());
    for round in 0..=2 * APPENDS {
        let events = maker.events(2);
        if round == APPENDS {
            run(&hooks.before).await;
            for _ in 0..ASKED {
                let asked = log.append(&stream, after(count), &events);
                assert_bears(in_time("an append", ANSWER_WITHIN, asked).await.err());
                assert_reads_answer(&*log, &stream).await;
            }
            run(&hooks.after).await;
        }
        let place = count;
        let appended = append(&*log, &stream, &mut count, &events);
        let last = in_time("an append once the server is back", BACK_WITHIN, appended).await;
        // Nobody else writes here.
        assert_eq!(last.0, place + 1);
        let ids = events.iter().map(|event| event.id).collect();
        acknowledged.push(Acknowledged { stream: stream.clone(), last, ids });
    }
    in_time("a read once the server is back", BACK_WITHIN, until_readable(&*log, &stream)).await;
    assert_there(&*log, &tenant, start, &acknowledged).await;
    let wanted: Vec<_> = acknowledged.into_iter().flat_map(|one| one.ids).collect();
    let told = tell(&*log, &filter, items, start, wanted.len());
    assert_eq!(in_time("a follower from before", BACK_WITHIN, told).await, wanted);
}

async fn in_time<T>(what: &str, within: Duration, asked: impl Future<Output = T>) -> T {
    let answered = timeout(within, asked).await;
    answered.unwrap_or_else(|_| panic!("{what} had no answer within {} s", within.as_secs()))
}

/// Where several servers keep the log it may go on without one, so an answer need not be an error.
fn assert_bears(error: Option<AppendError>) {
    match error {
        None | Some(AppendError::Unavailable(_) | AppendError::Unknown(_)) => {}
        Some(
            error @ (AppendError::Conflict { .. }
            | AppendError::TooLarge { .. }
            | AppendError::Corrupt(_)),
        ) => panic!("a server that is away was taken for {error:?}"),
    }
}

async fn read_once(log: &dyn EventLog, stream: &StreamId) -> Result<(), ReadError> {
    log.head().await?;
    let events: Vec<_> = log.read(stream, Revision::START).await?.try_collect().await?;
    // Nothing is what a stream without events has, and this one has some.
    assert!(events.len() >= 2 * APPENDS, "{} events are there of at least {APPENDS}", events.len());
    Ok(())
}

async fn assert_reads_answer(log: &dyn EventLog, stream: &StreamId) {
    match in_time("a read", ANSWER_WITHIN, read_once(log, stream)).await {
        Ok(()) | Err(ReadError::Unavailable(_)) => {}
        Err(error @ ReadError::Corrupt(_)) => panic!("a server that is away was taken for {error}"),
    }
}

async fn until_readable(log: &dyn EventLog, stream: &StreamId) {
    while read_once(log, stream).await.is_err() {
        tokio::time::sleep(PAUSE).await;
    }
}

/// Goes on with a follower that was there before, and begins again behind it if it ended.
async fn tell(
    log: &dyn EventLog,
    filter: &Filter,
    mut items: FollowStream,
    mut reached: Option<Position>,
    count: usize,
) -> Vec<Uuid> {
    let mut told = Vec::new();
    while told.len() < count {
        match items.try_next().await {
            Ok(Some(FollowItem::Event(event))) => {
                reached = Some(event.position);
                told.push(event.event.id);
            }
            Ok(Some(FollowItem::CaughtUp(position))) => reached = position.or(reached),
            Ok(Some(FollowItem::Checkpoint(position))) => reached = Some(position),
            Ok(Some(FollowItem::Poison(poison))) => reached = Some(poison.position),
            Ok(None) | Err(_) => match log.follow(filter, reached).await {
                Ok(again) => items = again,
                Err(_) => tokio::time::sleep(PAUSE).await,
            },
        }
    }
    told
}

async fn run(command: &str) {
    // What it prints is for whoever runs the check, and not among the verdicts.
    let mut shell = Command::new("sh");
    let status = shell.arg("-c").arg(command).stdout(std::io::stderr()).status().await.unwrap();
    assert!(status.success(), "a hook ended with {status}");
}
