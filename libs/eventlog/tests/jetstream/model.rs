//! Whatever is done to them, the log on JetStream and the model in memory answer alike, but for the numbers of positions.

use std::sync::atomic::{AtomicUsize, Ordering};

use countersign_eventlog::{jetstream::JetStreamLog, memory::MemoryLog};
use countersign_eventsourcing::{
    AppendError, Appended, EventLog, ExpectedRevision, Filter, NewEvent, Position, RecordedEvent,
    Revision, StreamId,
    contract::{Sample, after, read, take_until_caught_up},
};
use countersign_nats::NatsSettings;
use countersign_testkit::NatsServer;
use proptest::{collection::vec, prelude::*, sample::Index};

use super::{create, open};

#[derive(Clone, Debug)]
enum Operation {
    Append { stream: usize, behind: u64, ahead: u64, count: usize },
    Race { stream: usize, writers: usize },
    Repeat(Index),
    Read { stream: usize, from: u64 },
    Follow { after: Option<Index>, filter: usize },
    Reopen,
}

fn operation() -> impl Strategy<Value = Operation> {
    let off = || prop_oneof![4 => Just(0), 1 => 1..3_u64];
    prop_oneof![
        8 => (0..4_usize, off(), off(), 0..5_usize)
            .prop_map(|(stream, behind, ahead, count)| Operation::Append { stream, behind, ahead, count }),
        2 => (0..4_usize, 2..6_usize).prop_map(|(stream, writers)| Operation::Race { stream, writers }),
        2 => any::<Index>().prop_map(Operation::Repeat),
        3 => (0..4_usize, 0..20_u64).prop_map(|(stream, from)| Operation::Read { stream, from }),
        3 => (any::<Option<Index>>(), 0..5_usize).prop_map(|(after, filter)| Operation::Follow { after, filter }),
        1 => Just(Operation::Reopen),
    ]
}

/// What both must agree on.
fn outcome(result: Result<Appended, AppendError>) -> Result<Revision, Option<Revision>> {
    match result {
        Ok(appended) => Ok(appended.last_revision),
        Err(AppendError::Conflict { actual }) => Err(actual),
        Err(error) => panic!("{error:?}"),
    }
}

fn without_positions(mut events: Vec<RecordedEvent>) -> Vec<RecordedEvent> {
    events.iter_mut().for_each(|event| event.position = Position(0));
    events
}

struct Both {
    settings: NatsSettings,
    jetstream: JetStreamLog,
    memory: MemoryLog,
    sample: Sample,
    streams: Vec<StreamId>,
    appended: Vec<(StreamId, ExpectedRevision, Vec<NewEvent>)>,
}

impl Both {
    async fn new(settings: NatsSettings) -> Self {
        let sample = Sample::new();
        let names = [("a", "k"), ("a", "k.k"), ("b", "k"), ("bb", "k")];
        Self {
            jetstream: create(&settings).await,
            settings,
            memory: MemoryLog::default(),
            streams: names.map(|(category, key)| sample.stream_in(category, key)).to_vec(),
            sample,
            appended: Vec::new(),
        }
    }

    async fn append(&self, stream: &StreamId, expected: ExpectedRevision, events: &[NewEvent]) {
        let jetstream = self.jetstream.append(stream, expected, events).await;
        let memory = self.memory.append(stream, expected, events).await;
        assert_eq!(outcome(jetstream), outcome(memory));
    }

    async fn all(&self, log: &dyn EventLog) -> Vec<RecordedEvent> {
        let mut items = log.follow(&Filter::default(), None).await.unwrap();
        take_until_caught_up(&mut items).await
    }

    /// Follows both after the event that has the same number in both, if it is not `None`.
    async fn follow(&self, filter: &Filter, after: Option<Index>) {
        let logs: [&dyn EventLog; 2] = [&self.jetstream, &self.memory];
        let mut told = Vec::new();
        for log in logs {
            let all = self.all(log).await;
            assert_eq!(log.head().await.unwrap(), all.last().map(|event| event.position));
            let after = after.filter(|_| !all.is_empty()).map(|index| index.get(&all).position);
            let mut items = log.follow(filter, after).await.unwrap();
            told.push(without_positions(take_until_caught_up(&mut items).await));
        }
        assert_eq!(told.first(), told.last());
    }

    async fn carry_out(&mut self, operation: Operation) {
        match operation {
            Operation::Append { stream, behind, ahead, count } => {
                let stream = self.streams.get(stream).unwrap().clone();
                let length = read(&self.memory, &stream, 0).await.len() as u64;
                let expected = after(length.saturating_sub(behind) + ahead);
                let events = self.sample.events(count);
                self.append(&stream, expected, &events).await;
                self.appended.push((stream, expected, events));
            }
            Operation::Race { stream, writers } => {
                let stream = self.streams.get(stream).unwrap().clone();
                let expected = after(read(&self.memory, &stream, 0).await.len() as u64);
                let events: Vec<_> = (0..writers).map(|_| self.sample.events(2)).collect();
                let racing =
                    events.iter().map(|events| self.jetstream.append(&stream, expected, events));
                let results = futures_util::future::join_all(racing).await;
                let winner = results.iter().position(Result::is_ok).unwrap();
                // The model is told in the order that the race had.
                let mut order: Vec<_> = events.into_iter().zip(results).collect();
                order.swap(0, winner);
                for (events, result) in order {
                    let memory = self.memory.append(&stream, expected, &events).await;
                    assert_eq!(outcome(result), outcome(memory));
                    self.appended.push((stream.clone(), expected, events));
                }
            }
            Operation::Repeat(index) => {
                if let Some((stream, expected, events)) =
                    self.appended.get(index.index(self.appended.len().max(1)))
                {
                    self.append(stream, *expected, events).await;
                }
            }
            Operation::Read { stream, from } => {
                let stream = self.streams.get(stream).unwrap();
                let (found, model) = (
                    read(&self.jetstream, stream, from).await,
                    read(&self.memory, stream, from).await,
                );
                assert_eq!(without_positions(found), without_positions(model));
            }
            Operation::Follow { after, filter } => {
                let stream = self.streams.get(2).unwrap().clone();
                let filter = match filter {
                    0 => Filter::default(),
                    1 => Filter::category("a"),
                    2 => Filter::category("b"),
                    3 => Filter { streams: vec![stream], ..Filter::default() },
                    _ => Filter { event_types: vec!["other".to_owned()], ..Filter::default() },
                };
                self.follow(&filter, after).await;
            }
            Operation::Reopen => self.jetstream = open(&self.settings).await,
        }
    }
}

#[test]
fn the_log_on_jetstream_answers_like_the_model() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let server = runtime.block_on(NatsServer::start());
    let logs = AtomicUsize::new(0);
    let config = ProptestConfig { cases: 24, ..ProptestConfig::default() };
    proptest!(config, |(operations in vec(operation(), 1..40))| {
        let number = logs.fetch_add(1, Ordering::Relaxed);
        let settings = NatsSettings { prefix: format!("log{number}"), ..server.settings() };
        runtime.block_on(async {
            let mut both = Both::new(settings).await;
            for operation in operations {
                both.carry_out(operation).await;
            }
            both.follow(&Filter::default(), None).await;
        });
    });
}
