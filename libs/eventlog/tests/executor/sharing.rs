//! A log that others append to as well has to be asked again and again; those who ask at the same time share the answer,
//! and an outage is found once for all who wait.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use countersign_eventlog::memory::MemoryLog;
use countersign_eventsourcing::{
    AppendError, Appended, EventLog, EventStream, ExecuteError, Executor, ExpectedRevision, Filter,
    FollowStream, LogId, NewEvent, NoSnapshots, Position, ReadError, Revision, StreamId,
    contract::Sample,
};
use futures_util::future::join_all;
use tokio::time::{Instant, sleep};

use crate::sum::{Add, Sum, add, request};

/// How long an answer takes.
const ANSWER: Duration = Duration::from_millis(40);

/// How long it takes to find that nobody answers.
const NO_ANSWER: Duration = Duration::from_secs(3);

/// A log at the other end of a wire.
#[derive(Default)]
struct FarLog {
    log: MemoryLog,
    reads: AtomicUsize,
    is_away: AtomicBool,
}

#[async_trait]
impl EventLog for FarLog {
    fn id(&self) -> LogId {
        self.log.id()
    }

    async fn append(
        &self,
        stream: &StreamId,
        expected: ExpectedRevision,
        events: &[NewEvent],
    ) -> Result<Appended, AppendError> {
        sleep(ANSWER).await;
        self.log.append(stream, expected, events).await
    }

    async fn read(&self, stream: &StreamId, from: Revision) -> Result<EventStream, ReadError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        if self.is_away.load(Ordering::SeqCst) {
            sleep(NO_ANSWER).await;
            return Err(ReadError::Unavailable(Arc::new(io::Error::other("nobody answers"))));
        }
        sleep(ANSWER).await;
        self.log.read(stream, from).await
    }

    async fn follow(
        &self,
        filter: &Filter,
        after: Option<Position>,
    ) -> Result<FollowStream, ReadError> {
        self.log.follow(filter, after).await
    }

    async fn head(&self) -> Result<Option<Position>, ReadError> {
        self.log.head().await
    }
}

fn executor(log: &Arc<FarLog>) -> Executor<Sum> {
    Executor::new(Arc::clone(log) as _, Arc::new(NoSnapshots), 16)
}

#[tokio::test(start_paused = true)]
async fn those_who_read_at_the_same_time_share_a_read_that_began_after_they_asked() {
    let (log, stream) = (Arc::<FarLog>::default(), Sample::new().stream("k"));
    let (here, elsewhere) = (executor(&log), executor(&log));
    here.execute(&stream, &request(1, 0), add(&[1])).await.unwrap();
    elsewhere.execute(&stream, &request(2, 0), add(&[2])).await.unwrap();
    log.reads.store(0, Ordering::SeqCst);
    let began = Instant::now();
    for folded in join_all((0..100).map(|_| here.load(&stream))).await {
        assert_eq!(folded.unwrap().state.0, 3);
    }
    assert_eq!(log.reads.load(Ordering::SeqCst), 2);
    assert_eq!(began.elapsed(), 2 * ANSWER);
}

#[tokio::test(start_paused = true)]
async fn those_who_read_again_hold_nobody_up() {
    let (log, stream) = (Arc::<FarLog>::default(), Sample::new().stream("k"));
    let executor = executor(&log);
    executor.execute(&stream, &request(1, 0), add(&[1])).await.unwrap();
    log.reads.store(0, Ordering::SeqCst);
    let began = Instant::now();
    let reading = (0..100).map(|_| async {
        for _ in 0..4 {
            executor.load(&stream).await.unwrap();
        }
    });
    join_all(reading).await;
    assert!(log.reads.load(Ordering::SeqCst) <= 8);
    assert!(began.elapsed() <= 8 * ANSWER, "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_read_goes_on_though_the_one_who_began_it_goes_away() {
    let (log, stream) = (Arc::<FarLog>::default(), Sample::new().stream("k"));
    let executor = executor(&log);
    executor.execute(&stream, &request(1, 0), add(&[1])).await.unwrap();
    log.reads.store(0, Ordering::SeqCst);
    let mut first = Box::pin(executor.load(&stream));
    assert!(futures_util::poll!(&mut first).is_pending());
    let mut second = Box::pin(executor.load(&stream));
    assert!(futures_util::poll!(&mut second).is_pending());
    drop(first);
    assert_eq!(second.await.unwrap().state.0, 1);
    assert_eq!(log.reads.load(Ordering::SeqCst), 2);
    // Nor does one that everybody left stand in the way of the next.
    let mut left = Box::pin(executor.load(&stream));
    assert!(futures_util::poll!(&mut left).is_pending());
    drop(left);
    assert_eq!(executor.load(&stream).await.unwrap().state.0, 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_appended_elsewhere_is_seen_by_whoever_asks_afterwards() {
    let (log, stream) = (Arc::<FarLog>::default(), Sample::new().stream("k"));
    let (here, elsewhere) = (executor(&log), executor(&log));
    for round in 1..20 {
        elsewhere.execute(&stream, &request(round, 0), add(&[1])).await.unwrap();
        let loads = join_all((0..3).map(|_| here.load(&stream))).await;
        for folded in loads {
            assert_eq!(u128::from(folded.unwrap().state.0), round);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_just_seen_is_decided_on_without_reading_again_unless_somebody_got_in_between() {
    let (log, stream) = (Arc::<FarLog>::default(), Sample::new().stream("k"));
    let (here, elsewhere) = (executor(&log), executor(&log));
    here.execute(&stream, &request(1, 0), add(&[1])).await.unwrap();
    let seen = here.load(&stream).await.unwrap().next_revision;
    log.reads.store(0, Ordering::SeqCst);
    here.execute_seen(&stream, &request(2, 0), add(&[1]), seen).await.unwrap();
    assert_eq!(log.reads.load(Ordering::SeqCst), 0);
    let seen = here.load(&stream).await.unwrap().next_revision;
    elsewhere.execute(&stream, &request(3, 0), add(&[5])).await.unwrap();
    let executed = here.execute_seen(&stream, &request(4, 0), add(&[1]), seen).await.unwrap();
    assert_eq!(executed.folded.state.0, 8);
    // Also for whoever has let go of what was seen.
    let fresh = executor(&log);
    let executed = fresh.execute_seen(&stream, &request(5, 0), add(&[1]), seen).await.unwrap();
    assert_eq!(executed.folded.state.0, 9);
}

#[tokio::test(start_paused = true)]
async fn commands_that_come_together_and_are_rejected_share_reads() {
    let (log, stream) = (Arc::<FarLog>::default(), Sample::new().stream("k"));
    let executor = executor(&log);
    executor.execute(&stream, &request(1, 0), add(&[1])).await.unwrap();
    log.reads.store(0, Ordering::SeqCst);
    let too_much = Add { numbers: vec![1], limit: 1 };
    let requests: Vec<_> = (2..102).map(|number| request(number, 0)).collect();
    let commands = requests.iter().map(|one| executor.execute(&stream, one, too_much.clone()));
    for executed in join_all(commands).await {
        assert!(matches!(executed, Err(ExecuteError::Rejected(_))));
    }
    assert_eq!(log.reads.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn who_has_no_time_left_is_told_that_the_log_is_unavailable() {
    let (log, stream) = (Arc::<FarLog>::default(), Sample::new().stream("k"));
    let executor = executor(&log).giving_up(Arc::new(|| Box::pin(sleep(NO_ANSWER / 2))));
    // What the log answers in time is not cut short.
    executor.execute(&stream, &request(1, 0), add(&[1])).await.unwrap();
    log.is_away.store(true, Ordering::SeqCst);
    let began = Instant::now();
    let loaded = executor.load(&stream).await;
    assert!(matches!(loaded, Err(ReadError::Unavailable(_))), "{loaded:?}");
    assert_eq!(began.elapsed(), NO_ANSWER / 2);
    let executed = executor.execute(&stream, &request(2, 0), add(&[1])).await;
    assert!(matches!(executed, Err(ExecuteError::Unavailable(_))), "{executed:?}");
    assert_eq!(began.elapsed(), NO_ANSWER);
    // It leaves nothing behind that would keep others from it.
    log.is_away.store(false, Ordering::SeqCst);
    let executed = executor.execute(&stream, &request(2, 0), add(&[1])).await.unwrap();
    assert_eq!(executed.folded.state.0, 2);
}

/// As when a caller repeats a request at once, and its repeat goes to another replica, which draws other ids.
#[tokio::test(start_paused = true)]
async fn a_command_that_two_replicas_decide_at_once_and_differently_is_carried_out_once() {
    let (log, stream) = (Arc::<FarLog>::default(), Sample::new().stream("k"));
    let (here, elsewhere) = (executor(&log), executor(&log));
    for round in 1..10 {
        let request = request(round, 7);
        let one = here.execute(&stream, &request, add(&[1]));
        let other = elsewhere.execute(&stream, &request, add(&[2]));
        let (one, other) = futures_util::future::join(one, other).await;
        let (one, other) = (one.unwrap(), other.unwrap());
        assert_eq!(one.events, other.events, "round {round}");
        assert_eq!(one.folded.state, other.folded.state, "round {round}");
        assert_eq!(here.load(&stream).await.unwrap(), elsewhere.load(&stream).await.unwrap());
    }
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_found_once_for_all_who_wait() {
    let (log, stream) = (Arc::<FarLog>::default(), Sample::new().stream("k"));
    let executor = executor(&log);
    executor.execute(&stream, &request(1, 0), add(&[1])).await.unwrap();
    log.is_away.store(true, Ordering::SeqCst);
    let began = Instant::now();
    let requests: Vec<_> = (2..52).map(|number| request(number, 0)).collect();
    let commands = join_all(requests.iter().map(|one| executor.execute(&stream, one, add(&[1]))));
    let loads = join_all((0..50).map(|_| executor.load(&stream)));
    let (executed, loaded) = futures_util::future::join(commands, loads).await;
    assert!(executed.iter().all(|one| matches!(one, Err(ExecuteError::Unavailable(_)))));
    assert!(loaded.iter().all(|one| matches!(one, Err(ReadError::Unavailable(_)))));
    assert!(began.elapsed() <= 3 * NO_ANSWER, "{:?}", began.elapsed());
    // It is not held against whoever comes later.
    log.is_away.store(false, Ordering::SeqCst);
    assert_eq!(executor.load(&stream).await.unwrap().state.0, 1);
    executor.execute(&stream, &request(100, 0), add(&[1])).await.unwrap();
}
