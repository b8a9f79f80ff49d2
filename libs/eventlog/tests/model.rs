//! Whatever is done to them, the embedded log and the model in memory answer alike.

#![expect(clippy::unwrap_used, reason = "a failed test says so by panicking")]

mod support;

use std::sync::Arc;

use countersign_eventlog::{
    embedded::{EmbeddedLog, verify},
    memory::MemoryLog,
};
use countersign_eventsourcing::{
    AppendError, Appended, EventLog, ExpectedRevision, Filter, NewEvent, Position, RecordedEvent,
    Revision, StreamId,
    contract::{Sample, after, read, take_until_caught_up},
};
use proptest::{collection::vec, prelude::*, sample::Index};

#[derive(Clone, Debug)]
enum Operation {
    Append {
        stream: usize,
        behind: u64,
        ahead: u64,
        count: usize,
    },
    /// Several at the same moment.
    Race {
        stream: usize,
        writers: usize,
    },
    Repeat(Index),
    Read {
        stream: usize,
        from: u64,
    },
    Follow {
        after: Option<Index>,
        filter: usize,
    },
    Reopen,
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        8 => (0..4_usize, prop_oneof![4 => Just(0), 1 => 1..3_u64], prop_oneof![4 => Just(0), 1 => 1..3_u64], 0..5_usize)
            .prop_map(|(stream, behind, ahead, count)| Operation::Append { stream, behind, ahead, count }),
        2 => (0..4_usize, 2..6_usize).prop_map(|(stream, writers)| Operation::Race { stream, writers }),
        2 => any::<Index>().prop_map(Operation::Repeat),
        3 => (0..4_usize, 0..20_u64).prop_map(|(stream, from)| Operation::Read { stream, from }),
        3 => (any::<Option<Index>>(), 0..5_usize).prop_map(|(after, filter)| Operation::Follow { after, filter }),
        1 => Just(Operation::Reopen),
    ]
}

/// What both must agree on; sources of errors may differ.
fn outcome(result: Result<Appended, AppendError>) -> Result<Appended, Option<Option<Revision>>> {
    result.map_err(|error| match error {
        AppendError::Conflict { actual } => Some(actual),
        AppendError::Unavailable(_)
        | AppendError::Unknown(_)
        | AppendError::TooLarge { .. }
        | AppendError::Corrupt(_) => None,
    })
}

struct Both {
    directory: tempfile::TempDir,
    embedded: EmbeddedLog,
    memory: Arc<MemoryLog>,
    sample: Sample,
    streams: Vec<StreamId>,
    appended: Vec<(StreamId, ExpectedRevision, Vec<NewEvent>)>,
}

impl Both {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let sample = Sample::new();
        let streams = ["a.k", "a.k.k", "b.k", "bb.k"].map(|name| {
            let (category, key) = name.split_once('.').unwrap();
            sample.stream_in(category, key)
        });
        Self {
            embedded: support::open(directory.path()),
            directory,
            memory: Arc::default(),
            sample,
            streams: streams.to_vec(),
            appended: Vec::new(),
        }
    }

    fn stream(&self, number: usize) -> StreamId {
        self.streams.get(number).unwrap().clone()
    }

    async fn length(&self, stream: &StreamId) -> u64 {
        read(&*self.memory, stream, 0).await.len() as u64
    }

    async fn append(&self, stream: &StreamId, expected: ExpectedRevision, events: &[NewEvent]) {
        let embedded = self.embedded.append(stream, expected, events).await;
        let memory = self.memory.append(stream, expected, events).await;
        assert_eq!(outcome(embedded), outcome(memory));
    }

    async fn follow(&self, filter: &Filter, after: Option<Position>) {
        let logs: [&dyn EventLog; 2] = [&self.embedded, &*self.memory];
        let mut told: Vec<Vec<RecordedEvent>> = Vec::new();
        for log in logs {
            let mut items = log.follow(filter, after).await.unwrap();
            told.push(take_until_caught_up(&mut items).await);
        }
        assert_eq!(told.first(), told.last());
    }

    async fn carry_out(&mut self, operation: Operation) {
        match operation {
            Operation::Append { stream, behind, ahead, count } => {
                let stream = self.stream(stream);
                let length = self.length(&stream).await;
                let expected = after(length.saturating_sub(behind) + ahead);
                let events = self.sample.events(count);
                self.append(&stream, expected, &events).await;
                self.appended.push((stream, expected, events));
            }
            Operation::Race { stream, writers } => {
                let stream = self.stream(stream);
                let expected = after(self.length(&stream).await);
                let events: Vec<_> = (0..writers).map(|_| self.sample.events(2)).collect();
                let racing =
                    events.iter().map(|events| self.embedded.append(&stream, expected, events));
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
                let stream = self.stream(stream);
                assert_eq!(
                    read(&self.embedded, &stream, from).await,
                    read(&*self.memory, &stream, from).await,
                );
            }
            Operation::Follow { after, filter } => {
                let head = self.memory.head().await.unwrap();
                assert_eq!(self.embedded.head().await.unwrap(), head);
                let after = after
                    .zip(head)
                    .map(|(index, head)| index.index(usize::try_from(head.0).unwrap() + 1) as u64);
                let stream = self.stream(2);
                let filter = match filter {
                    0 => Filter::default(),
                    1 => Filter::category("a"),
                    2 => Filter::category("b"),
                    3 => Filter { streams: vec![stream], ..Filter::default() },
                    _ => Filter { event_types: vec!["other".to_owned()], ..Filter::default() },
                };
                self.follow(&filter, after.map(Position)).await;
            }
            Operation::Reopen => {
                self.embedded.close().await;
                self.embedded = support::open(self.directory.path());
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn the_embedded_log_answers_like_the_model(operations in vec(operation(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
        runtime.block_on(async {
            let mut both = Both::new();
            for operation in operations {
                both.carry_out(operation).await;
            }
            both.follow(&Filter::default(), None).await;
            both.embedded.close().await;
            let report = verify(both.directory.path(), |_, _| {}).unwrap();
            assert_eq!(report.problems, []);
            assert_eq!(report.last_position, both.memory.head().await.unwrap());
        });
    }
}
