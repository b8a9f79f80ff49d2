//! A log in memory that can hold what cannot be read.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use countersign_core::Timestamp;
use countersign_eventsourcing::{
    AppendError, Appended, EventLog, EventStream, ExpectedRevision, Filter, FollowItem,
    FollowStream, LogId, Metadata, NewEvent, Poison, Position, ReadError, RecordedEvent, Revision,
    StreamId,
};
use futures_util::{StreamExt as _, stream};
use tokio::sync::watch;
use uuid::Uuid;

/// One place in the log.
#[derive(Clone)]
enum Entry {
    Event(RecordedEvent),
    Poison(Poison),
}

pub(crate) struct TestLog {
    id: LogId,
    entries: watch::Sender<Arc<Vec<Entry>>>,
}

impl TestLog {
    pub(crate) fn new(id: u128) -> Arc<Self> {
        let id = LogId(Uuid::from_u128(id));
        Arc::new(Self { id, entries: watch::Sender::new(Arc::default()) })
    }

    /// Adds `count` events of many streams and types, and returns all that the log holds now.
    pub(crate) fn grow(&self, count: usize) -> Vec<RecordedEvent> {
        self.entries.send_modify(|entries| {
            let entries = Arc::make_mut(entries);
            for _ in 0..count {
                let at = entries.len() as u64;
                entries.push(Entry::Event(event(at, Bytes::from(format!("payload {at}")))));
            }
        });
        self.events()
    }

    /// Adds one event with this payload.
    pub(crate) fn add(&self, payload: Bytes) {
        self.entries.send_modify(|entries| {
            let at = entries.len() as u64;
            Arc::make_mut(entries).push(Entry::Event(event(at, payload)));
        });
    }

    /// Adds something that cannot be read.
    pub(crate) fn spoil(&self, what: &str) {
        self.entries.send_modify(|entries| {
            let position = Position(entries.len() as u64);
            let poison = Poison {
                position,
                place: format!("subject {position}"),
                what: what.to_owned(),
                bytes: Bytes::from_static(b"\0bad"),
            };
            Arc::make_mut(entries).push(Entry::Poison(poison));
        });
    }

    /// Makes another log that holds the same.
    pub(crate) fn copy(&self, id: u128) -> Arc<Self> {
        let entries = watch::Sender::new(Arc::clone(&self.entries.borrow()));
        Arc::new(Self { id: LogId(Uuid::from_u128(id)), entries })
    }

    pub(crate) fn events(&self) -> Vec<RecordedEvent> {
        let entries = Arc::clone(&self.entries.borrow());
        let events = entries.iter().filter_map(|entry| match entry {
            Entry::Event(event) => Some(event.clone()),
            Entry::Poison(_) => None,
        });
        events.collect()
    }
}

/// Makes the event at `at`: every third in a stream of its own category.
fn event(at: u64, payload: Bytes) -> RecordedEvent {
    let category = ["deliveries", "challenges", "signins"][at as usize % 3];
    let tenant = ["acme", "globex"][at as usize % 2];
    RecordedEvent {
        stream: format!("{category}-{tenant}.{at}").parse().unwrap(),
        revision: Revision(0),
        position: Position(at),
        event: NewEvent {
            id: Uuid::from_u128(0xe0_0000 + u128::from(at)),
            event_type: ["Requested", "Odd.type *"][at as usize % 2].into(),
            schema_version: 1,
            payload,
            metadata: Metadata {
                recorded_at: Timestamp::from_unix_micros(1_700_000_000_000_000 + at as i64),
                correlation_id: Uuid::from_u128(1),
                causation_id: Uuid::from_u128(2),
                requester: "api-key:ä\r\n".into(),
                traceparent: "".into(),
                request_digest: at,
            },
        },
    }
}

#[async_trait]
impl EventLog for TestLog {
    fn id(&self) -> LogId {
        self.id
    }

    async fn append(
        &self,
        _: &StreamId,
        _: ExpectedRevision,
        _: &[NewEvent],
    ) -> Result<Appended, AppendError> {
        unreachable!("the bus does not append")
    }

    async fn read(&self, stream: &StreamId, from: Revision) -> Result<EventStream, ReadError> {
        let wanted = |event: &RecordedEvent| event.stream == *stream && event.revision >= from;
        let events: Vec<_> = self.events().into_iter().filter(wanted).map(Ok).collect();
        Ok(stream::iter(events).boxed())
    }

    async fn follow(
        &self,
        filter: &Filter,
        after: Option<Position>,
    ) -> Result<FollowStream, ReadError> {
        let filter = filter.clone();
        let mut entries = self.entries.subscribe();
        let began = entries.borrow_and_update().len();
        let next = after.map_or(0, |after| after.0 as usize + 1);
        let state = (entries, next, false);
        let items = stream::unfold(state, move |(mut entries, mut next, mut said)| {
            let filter = filter.clone();
            async move {
                loop {
                    if !said && next >= began {
                        said = true;
                        let position = began.checked_sub(1).map(|at| Position(at as u64));
                        return Some((Ok(FollowItem::CaughtUp(position)), (entries, next, said)));
                    }
                    let entry = entries.borrow_and_update().get(next).cloned();
                    let item = match entry {
                        None => {
                            entries.changed().await.ok()?;
                            continue;
                        }
                        Some(Entry::Poison(poison)) => FollowItem::Poison(poison),
                        Some(Entry::Event(event))
                            if !filter.matches(&event.stream, &event.event.event_type) =>
                        {
                            next += 1;
                            continue;
                        }
                        Some(Entry::Event(event)) => FollowItem::Event(event),
                    };
                    next += 1;
                    return Some((Ok(item), (entries, next, said)));
                }
            }
        });
        Ok(items.boxed())
    }

    async fn head(&self) -> Result<Option<Position>, ReadError> {
        Ok(self.entries.borrow().len().checked_sub(1).map(|at| Position(at as u64)))
    }
}
