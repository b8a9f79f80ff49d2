//! Commands are carried out once each, whatever happens to the answers.

use std::{
    collections::{HashMap, VecDeque},
    io,
    sync::Arc,
};

use async_trait::async_trait;
use countersign_eventlog::memory::MemoryLog;
use countersign_eventsourcing::{
    AppendError, Appended, Decider as _, EventCodec as _, EventLog, EventStream, ExecuteError,
    Executor, ExpectedRevision, Filter, FollowStream, LogId, NewEvent, NoSnapshots, Position,
    ReadError, Revision, SnapshotStore, StreamId,
    contract::{Sample, after, read},
};
use parking_lot::Mutex;
use uuid::Uuid;

use crate::sum::{Add, Added, Sum, TooMuch, Total, add, request};

/// What happens to the next append.
enum Fate {
    StoredButUnknown,
    NotStoredAndUnknown,
    Unavailable,
    /// Another process gets in before.
    Overtaken(Add),
}

/// A log to which things happen.
#[derive(Default)]
struct Fateful {
    log: MemoryLog,
    fates: Mutex<VecDeque<Fate>>,
    appends: Mutex<usize>,
}

impl Fateful {
    fn new(fates: impl IntoIterator<Item = Fate>) -> Arc<Self> {
        Arc::new(Self { fates: Mutex::new(fates.into_iter().collect()), ..Self::default() })
    }

    async fn append_as_another(&self, stream: &StreamId, command: Add) {
        let stored = read(&self.log, stream, 0).await;
        let state = stored.iter().fold(Total::default(), |state, recorded| {
            let event = &recorded.event;
            Sum::evolve(state, &Sum::decode(&event.event_type, 1, &event.payload).unwrap())
        });
        let events: Vec<_> = Sum::decide(&state, command)
            .unwrap()
            .iter()
            .map(|event| NewEvent {
                id: Uuid::new_v5(&Uuid::nil(), &stored.len().to_be_bytes()),
                event_type: "added".into(),
                schema_version: 1,
                payload: Sum::encode(event).payload,
                metadata: request(u128::MAX, 0).metadata,
            })
            .collect();
        self.log.append(stream, after(stored.len() as u64), &events).await.unwrap();
    }
}

#[async_trait]
impl EventLog for Fateful {
    fn id(&self) -> LogId {
        self.log.id()
    }

    async fn append(
        &self,
        stream: &StreamId,
        expected: ExpectedRevision,
        events: &[NewEvent],
    ) -> Result<Appended, AppendError> {
        *self.appends.lock() += 1;
        let fate = self.fates.lock().pop_front();
        let source = Arc::new(io::Error::other("the connection was lost"));
        match fate {
            None => {}
            Some(Fate::StoredButUnknown) => {
                self.log.append(stream, expected, events).await?;
                return Err(AppendError::Unknown(source));
            }
            Some(Fate::NotStoredAndUnknown) => return Err(AppendError::Unknown(source)),
            Some(Fate::Unavailable) => return Err(AppendError::Unavailable(source)),
            Some(Fate::Overtaken(command)) => self.append_as_another(stream, command).await,
        }
        self.log.append(stream, expected, events).await
    }

    async fn read(&self, stream: &StreamId, from: Revision) -> Result<EventStream, ReadError> {
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

fn executor(log: &Arc<Fateful>) -> Executor<Sum> {
    Executor::new(Arc::clone(log) as Arc<dyn EventLog>, Arc::new(NoSnapshots), 100)
}

#[tokio::test]
async fn a_repeated_command_returns_its_first_events_and_appends_nothing() {
    let log = Fateful::new([]);
    let (executor, stream) = (executor(&log), Sample::new().stream("k"));
    let first = executor.execute(&stream, &request(1, 7), add(&[1, 2])).await.unwrap();
    assert!(!first.repeated);
    executor.execute(&stream, &request(2, 7), add(&[10])).await.unwrap();
    // By this process, and by one that has just started.
    for executor in [executor, self::executor(&log)] {
        let again = executor.execute(&stream, &request(1, 7), add(&[1, 2])).await.unwrap();
        assert!(again.repeated);
        assert_eq!(again.events, first.events);
        assert_eq!(again.folded.state, Total(13));
    }
    assert_eq!(*log.appends.lock(), 2);
    assert_eq!(read(&*log, &stream, 0).await.len(), 3);
}

#[tokio::test]
async fn a_command_id_with_other_content_is_refused() {
    let log = Fateful::new([]);
    let (executor, stream) = (executor(&log), Sample::new().stream("k"));
    executor.execute(&stream, &request(1, 7), add(&[1])).await.unwrap();
    let reused = executor.execute(&stream, &request(1, 8), add(&[2])).await;
    assert_eq!(reused.unwrap_err(), ExecuteError::RequestIdReused);
    assert_eq!(read(&*log, &stream, 0).await.len(), 1);
}

#[tokio::test]
async fn a_rejected_command_leaves_no_trace() {
    let log = Fateful::new([]);
    let (executor, stream) = (executor(&log), Sample::new().stream("k"));
    let command = Add { numbers: vec![11], limit: 10 };
    let rejected = executor.execute(&stream, &request(1, 0), command).await;
    assert_eq!(rejected.unwrap_err(), ExecuteError::Rejected(TooMuch));
    assert_eq!(*log.appends.lock(), 0);
}

#[tokio::test]
async fn a_command_that_was_overtaken_is_decided_again_on_what_is_stored() {
    let log = Fateful::new([Fate::Overtaken(add(&[100])), Fate::Overtaken(add(&[1_000]))]);
    let (executor, stream) = (executor(&log), Sample::new().stream("k"));
    let executed = executor.execute(&stream, &request(1, 0), add(&[1])).await.unwrap();
    assert_eq!(executed.events, [Added { number: 1, from: 1_100 }]);
    assert_eq!(executed.folded.state, Total(1_101));
}

#[tokio::test]
async fn a_command_that_was_overtaken_may_be_rejected_then() {
    let log = Fateful::new([Fate::Overtaken(add(&[100]))]);
    let (executor, stream) = (executor(&log), Sample::new().stream("k"));
    let command = Add { numbers: vec![1], limit: 100 };
    let rejected = executor.execute(&stream, &request(1, 0), command).await;
    assert_eq!(rejected.unwrap_err(), ExecuteError::Rejected(TooMuch));
}

#[tokio::test]
async fn a_command_that_is_overtaken_for_ever_is_given_up() {
    let log = Fateful::new((0..100).map(|_| Fate::Overtaken(add(&[1]))));
    let (executor, stream) = (executor(&log), Sample::new().stream("k"));
    let given_up = executor.execute(&stream, &request(1, 0), add(&[1])).await;
    assert_eq!(given_up.unwrap_err(), ExecuteError::Contended);
}

#[tokio::test]
async fn an_append_whose_answer_was_lost_is_found_again() {
    let log = Fateful::new([Fate::StoredButUnknown]);
    let (executor, stream) = (executor(&log), Sample::new().stream("k"));
    let executed = executor.execute(&stream, &request(1, 0), add(&[1, 2])).await.unwrap();
    assert_eq!(executed.events, [Added { number: 1, from: 0 }, Added { number: 2, from: 1 }],);
    assert!(!executed.repeated, "to the caller it is the first time");
    assert_eq!(executed.folded.state, Total(3));
    assert_eq!(*log.appends.lock(), 1);
}

#[tokio::test]
async fn an_append_that_was_lost_is_made_again() {
    let log = Fateful::new([Fate::NotStoredAndUnknown, Fate::NotStoredAndUnknown]);
    let (executor, stream) = (executor(&log), Sample::new().stream("k"));
    let executed = executor.execute(&stream, &request(1, 0), add(&[1, 2])).await.unwrap();
    assert_eq!(executed.folded.state, Total(3));
    assert_eq!(read(&*log, &stream, 0).await.len(), 2);
}

#[tokio::test]
async fn an_append_that_is_lost_for_ever_is_unavailable() {
    let log = Fateful::new((0..100).map(|_| Fate::NotStoredAndUnknown));
    let (executor, stream) = (executor(&log), Sample::new().stream("k"));
    let lost = executor.execute(&stream, &request(1, 0), add(&[1])).await;
    assert!(matches!(lost, Err(ExecuteError::Unavailable(_))), "{lost:?}");
}

#[tokio::test]
async fn an_unavailable_log_is_said_to_be_so_and_serves_when_it_is_back() {
    let log = Fateful::new([Fate::Unavailable]);
    let (executor, stream) = (executor(&log), Sample::new().stream("k"));
    let refused = executor.execute(&stream, &request(1, 0), add(&[1])).await;
    assert!(matches!(refused, Err(ExecuteError::Unavailable(_))), "{refused:?}");
    let executed = executor.execute(&stream, &request(1, 0), add(&[1])).await.unwrap();
    assert!(!executed.repeated);
    assert_eq!(executed.folded.state, Total(1));
}

/// Keeps snapshots in memory, and can lose them.
#[derive(Default)]
struct Snapshots {
    kept: Mutex<HashMap<(StreamId, u32), Vec<u8>>>,
    loaded: Mutex<usize>,
}

#[async_trait]
impl SnapshotStore for Snapshots {
    async fn load(&self, stream: &StreamId, state_version: u32) -> Option<Vec<u8>> {
        let found = self.kept.lock().get(&(stream.clone(), state_version)).cloned();
        *self.loaded.lock() += usize::from(found.is_some());
        found
    }

    async fn save(&self, stream: &StreamId, state_version: u32, bytes: Vec<u8>) {
        self.kept.lock().insert((stream.clone(), state_version), bytes);
    }
}

#[tokio::test]
async fn dropping_all_snapshots_changes_nothing() {
    let log = Fateful::new([]);
    let (snapshots, stream) = (Arc::new(Snapshots::default()), Sample::new().stream("k"));
    let start = || Executor::<Sum>::new(Arc::clone(&log) as _, Arc::clone(&snapshots) as _, 10);
    let executor = start();
    for number in 0..450 {
        executor.execute(&stream, &request(number, 5), add(&[1])).await.unwrap();
    }
    let known = executor.load(&stream).await.unwrap();
    let with_snapshots = start().load(&stream).await.unwrap();
    assert_eq!(*snapshots.loaded.lock(), 1, "the snapshot was used");
    snapshots.kept.lock().clear();
    let without = start().load(&stream).await.unwrap();
    assert_eq!(known, with_snapshots);
    assert_eq!(known, without);
    // A snapshot that is no snapshot counts as none.
    snapshots.kept.lock().insert((stream.clone(), 1), vec![0xff; 3]);
    assert_eq!(start().load(&stream).await.unwrap(), known);
    // Nor do they make a repeated command new.
    let again = start().execute(&stream, &request(440, 5), add(&[1])).await.unwrap();
    assert_eq!((again.repeated, &*again.events), (true, &[Added { number: 1, from: 440 }][..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_concurrent_commands_on_one_stream_all_count_once() {
    let log = Fateful::new([]);
    let stream = Sample::new().stream("k");
    // Two executors are two processes: their turns do not help each other.
    let executors = [Arc::new(executor(&log)), Arc::new(executor(&log))];
    let tasks: Vec<_> = (0..1_000_u128)
        .map(|number| {
            let (executor, stream) =
                (Arc::clone(&executors[usize::from(number % 2 == 1)]), stream.clone());
            tokio::spawn(async move {
                loop {
                    match executor.execute(&stream, &request(number, 0), add(&[1])).await {
                        Ok(executed) => {
                            return executed.events.into_iter().next().unwrap().from;
                        }
                        Err(ExecuteError::Contended) => {}
                        Err(other) => panic!("{other:?}"),
                    }
                }
            })
        })
        .collect();
    let mut decided_on = Vec::new();
    for task in tasks {
        decided_on.push(task.await.unwrap());
    }
    decided_on.sort_unstable();
    assert_eq!(decided_on, (0..1_000).collect::<Vec<_>>());
    assert_eq!(executors[0].load(&stream).await.unwrap().state, Total(1_000));
    assert_eq!(read(&*log, &stream, 0).await.len(), 1_000);
}
