//! Engines that are wrong in one thing each fail a check, and say so.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use countersign::engines::OpenLog;
use countersign_engine_check::{Faults, Place, Verdict, run_check, run_fault};
use countersign_eventlog::memory::MemoryLog;
use countersign_eventsourcing::{
    AppendError, Appended, EventLog, EventStream, ExpectedRevision, Filter, FollowItem,
    FollowStream, LogId, NewEvent, Position, ReadError, Revision, StreamId, contract,
};
use futures_util::StreamExt as _;

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrong {
    Nothing,
    /// A conflict is forgotten, and the events are put where the stream ends.
    ForgetsConflicts,
    /// Every fiftieth append is acknowledged and not stored.
    LosesAppends,
    /// A follower misses the first event after its place.
    SkipsAnEvent,
    /// Every answer takes for ever.
    NeverAnswers,
}

struct Engine {
    log: MemoryLog,
    wrong: Wrong,
    appends: AtomicU64,
}

#[async_trait]
impl EventLog for Engine {
    fn id(&self) -> LogId {
        self.log.id()
    }

    async fn append(
        &self,
        stream: &StreamId,
        expected: ExpectedRevision,
        events: &[NewEvent],
    ) -> Result<Appended, AppendError> {
        let number = self.appends.fetch_add(1, Ordering::Relaxed) + 1;
        if self.wrong == Wrong::NeverAnswers {
            std::future::pending::<()>().await;
        }
        if self.wrong == Wrong::LosesAppends && number.is_multiple_of(50) {
            let last_revision = Revision(expected.first().0 + events.len() as u64 - 1);
            return Ok(Appended { last_revision, position: Position(number) });
        }
        match self.log.append(stream, expected, events).await {
            Err(AppendError::Conflict { actual: Some(last) })
                if self.wrong == Wrong::ForgetsConflicts =>
            {
                self.log.append(stream, ExpectedRevision::Exact(last), events).await
            }
            answer => answer,
        }
    }

    async fn read(&self, stream: &StreamId, from: Revision) -> Result<EventStream, ReadError> {
        self.log.read(stream, from).await
    }

    async fn follow(
        &self,
        filter: &Filter,
        after: Option<Position>,
    ) -> Result<FollowStream, ReadError> {
        let items = self.log.follow(filter, after).await?;
        if self.wrong != Wrong::SkipsAnEvent || after.is_none_or(|after| after.0 < 20) {
            return Ok(items);
        }
        let mut skipped = false;
        let rest = items.filter(move |item| {
            let first = !skipped && matches!(item, Ok(FollowItem::Event(_)));
            skipped |= first;
            std::future::ready(!first)
        });
        Ok(rest.boxed())
    }

    async fn head(&self) -> Result<Option<Position>, ReadError> {
        self.log.head().await
    }
}

struct InMemory(Arc<Engine>);

#[async_trait]
impl Place for InMemory {
    async fn open(&self) -> anyhow::Result<OpenLog> {
        Ok(OpenLog::new(Arc::clone(&self.0) as Arc<dyn EventLog>))
    }
}

fn place(wrong: Wrong) -> Arc<dyn Place> {
    let engine = Engine { log: MemoryLog::default(), wrong, appends: AtomicU64::new(0) };
    Arc::new(InMemory(Arc::new(engine)))
}

const WITHIN: Duration = Duration::from_secs(60);
const FAULTS: [&str; 3] = [
    "many_writers_in_the_same_streams_lose_nothing",
    "an_append_whose_answer_was_dropped_can_be_repeated",
    "a_follower_resumed_anywhere_is_told_everything_once",
];

/// Returns why the check `name` failed.
async fn failure(wrong: Wrong, name: &str, within: Duration) -> String {
    let place = place(wrong);
    let verdict = if FAULTS.contains(&name) {
        run_fault(&place, name, &Faults::within_the_process(7), within).await
    } else {
        run_check(&place, name, within).await
    };
    match verdict {
        Verdict::Failed(why) => why,
        Verdict::Passed(_) | Verdict::Skipped(_) => {
            unreachable!("{wrong:?} passed {name}: {verdict:?}")
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_is_right_passes() {
    let place = place(Wrong::Nothing);
    for name in contract::CHECKS {
        let verdict = run_check(&place, name, WITHIN).await;
        assert!(matches!(verdict, Verdict::Passed(_)), "{name}: {verdict:?}");
    }
    for name in FAULTS {
        let verdict = run_fault(&place, name, &Faults::within_the_process(7), WITHIN).await;
        assert!(matches!(verdict, Verdict::Passed(_)), "{name}: {verdict:?}");
    }
}

#[tokio::test]
async fn an_engine_that_forgets_conflicts_fails_and_says_why() {
    let name = "a_stale_revision_conflicts_with_the_actual_one";
    let why = failure(Wrong::ForgetsConflicts, name, WITHIN).await;
    assert!(why.contains("expected a conflict, got Ok"), "{why}");
    assert!(why.contains("contract"), "it says where: {why}");
    failure(Wrong::ForgetsConflicts, "one_of_64_concurrent_writers_wins", WITHIN).await;
    failure(Wrong::ForgetsConflicts, "other_ids_at_the_same_place_conflict", WITHIN).await;
}

#[tokio::test]
async fn an_engine_that_loses_what_it_acknowledged_fails() {
    failure(Wrong::LosesAppends, FAULTS[0], WITHIN).await;
    failure(Wrong::LosesAppends, FAULTS[1], WITHIN).await;
    failure(Wrong::LosesAppends, "following_tells_all_events_in_one_order", WITHIN).await;
}

#[tokio::test]
async fn an_engine_whose_followers_miss_an_event_fails() {
    // The last one is never told then, so it waits in vain; or an order differs.
    failure(Wrong::SkipsAnEvent, FAULTS[2], Duration::from_secs(2)).await;
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_never_answers_fails_in_time() {
    let why = failure(Wrong::NeverAnswers, contract::CHECKS[0], WITHIN).await;
    assert_eq!(why, "it did not end within 60 s");
}

#[tokio::test]
async fn what_lacks_something_is_skipped() {
    let faults = Faults::within_the_process(7);
    for name in [
        "while_the_server_is_away_answers_come_within_10_s",
        "nothing_acknowledged_to_a_killed_writer_is_lost",
    ] {
        let verdict = run_fault(&place(Wrong::Nothing), name, &faults, WITHIN).await;
        assert!(matches!(verdict, Verdict::Skipped(_)), "{name}: {verdict:?}");
    }
}
