//! What the double keeps: the memory log of the event-log engines, with the client's events wrapped in its own. The wire's
//! words go in and come out unchanged; atomicity, expected revisions, repeats by event id and following are the memory
//! log's.

use std::sync::Arc;

use bytes::Bytes;
use countersign_core::{TenantId, Timestamp};
use countersign_eventlog::memory::MemoryLog;
use countersign_eventsourcing::{
    AppendError, Appended, EventLog as _, ExpectedRevision, Filter, FollowItem, Metadata, NewEvent,
    Position, RecordedEvent, Revision, StreamId,
};
use futures_util::{StreamExt as _, TryStreamExt as _, stream::BoxStream};
use prost::Message as _;
use uuid::Uuid;

use super::wire::{StreamIdentifier, streams::read_resp::read_event};

/// An event as the wire has it.
pub(super) type WireEvent = read_event::RecordedEvent;

/// Positions of a real server are places in a file: they differ by sizes and are never dense.
const STRIDE: u64 = 128;

/// How many events are looked at for one step backwards.
const STEP: u64 = 64;

/// What an append asks of its stream.
#[derive(Clone, Copy, Debug)]
pub(super) enum Expected {
    Exactly(ExpectedRevision),
    Any,
    Exists,
}

/// Why an append was refused.
#[derive(Clone, Copy, Debug)]
pub(super) enum Refused {
    WrongVersion { actual: Option<u64> },
    TooLarge,
}

/// Place of the last event appended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stored {
    pub(super) revision: u64,
    pub(super) position: u64,
}

/// What followers are told.
#[derive(Debug)]
pub(super) enum Told {
    Event(Box<WireEvent>),
    CaughtUp,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Store(Arc<MemoryLog>);

/// Says where on the wire the log's `position` is.
const fn outward(position: Position) -> u64 {
    (position.0 + 1) * STRIDE
}

/// Says which of the log's positions is meant; `None` if there is no event.
pub(super) const fn inward(position: u64) -> Option<u64> {
    if position == 0 || !position.is_multiple_of(STRIDE) {
        None
    } else {
        Some(position / STRIDE - 1)
    }
}

impl Store {
    /// Appends all of `events`, or none.
    pub(super) async fn append(
        &self,
        name: &Bytes,
        expected: Expected,
        events: Vec<WireEvent>,
    ) -> Result<Stored, Refused> {
        let events: Vec<_> = events.into_iter().map(|event| wrap(name, event)).collect();
        loop {
            let exactly = match expected {
                Expected::Exactly(exactly) => exactly,
                Expected::Any | Expected::Exists => {
                    let last = self.stream(name, 0).await.len().checked_sub(1);
                    if last.is_none() && matches!(expected, Expected::Exists) {
                        return Err(Refused::WrongVersion { actual: None });
                    }
                    last.map_or(ExpectedRevision::NoStream, |last| {
                        ExpectedRevision::Exact(Revision(last as u64))
                    })
                }
            };
            return match self.0.append(&inner_name(name), exactly, &events).await {
                Ok(Appended { last_revision, position }) => {
                    Ok(Stored { revision: last_revision.0, position: outward(position) })
                }
                // Somebody was quicker, which only matters to whoever said where the stream should be.
                Err(AppendError::Conflict { .. }) if !matches!(expected, Expected::Exactly(_)) => {
                    continue;
                }
                Err(AppendError::Conflict { actual }) => {
                    Err(Refused::WrongVersion { actual: actual.map(|actual| actual.0) })
                }
                Err(AppendError::TooLarge { .. }) => Err(Refused::TooLarge),
                Err(other) => unreachable!("a log in memory does not fail: {other}"),
            };
        }
    }

    /// Returns the events of one stream from `from` on.
    pub(super) async fn stream(&self, name: &Bytes, from: u64) -> Vec<WireEvent> {
        let events = self.0.read(&inner_name(name), Revision(from)).await;
        let events = events.expect("a log in memory can be read");
        events.map_ok(unwrap).try_collect().await.expect("a log in memory can be read")
    }

    /// Tells events after the log's position `after`, and goes on as new ones come.
    pub(super) async fn follow(&self, after: Option<u64>) -> BoxStream<'static, Told> {
        let items = self.0.follow(&Filter::default(), after.map(Position)).await;
        let items = items.expect("whoever follows names a position that was");
        items
            .filter_map(async |item| match item.expect("a log in memory can be read") {
                FollowItem::Event(event) => Some(Told::Event(Box::new(unwrap(event)))),
                FollowItem::CaughtUp(_) => Some(Told::CaughtUp),
                FollowItem::Checkpoint(_) | FollowItem::Poison(_) => None,
            })
            .boxed()
    }

    /// Returns the log's position of the last event.
    pub(super) async fn head(&self) -> Option<u64> {
        self.0.head().await.expect("a log in memory has a head").map(|head| head.0)
    }

    /// Tells the events before the log's position `before`, the last first.
    pub(super) fn backwards(&self, before: u64) -> BoxStream<'static, WireEvent> {
        let store = self.clone();
        let steps = futures_util::stream::unfold((store, before), async |(store, before)| {
            if before == 0 {
                return None;
            }
            let start = before.saturating_sub(STEP);
            let length = usize::try_from(before - start).expect("a step is short");
            let told = store.follow(start.checked_sub(1)).await;
            let events = told.filter_map(async |told| match told {
                Told::Event(event) => Some(*event),
                Told::CaughtUp => None,
            });
            let mut events: Vec<_> = events.take(length).collect().await;
            events.reverse();
            Some((futures_util::stream::iter(events), (store, start)))
        });
        steps.flatten().boxed()
    }
}

/// Any name becomes one that the log takes.
fn inner_name(name: &Bytes) -> StreamId {
    let key = Uuid::new_v5(&Uuid::NAMESPACE_OID, name).simple().to_string();
    let tenant = TenantId::parse("kurrentdb").expect("a tenant's name");
    StreamId::new("wire", &tenant, &key).expect("a stream's name")
}

fn wrap(name: &Bytes, event: WireEvent) -> NewEvent {
    let id = event.id.clone().and_then(|id| id.as_uuid()).unwrap_or_default();
    let stream_identifier = Some(StreamIdentifier { stream_name: name.clone() });
    let payload = WireEvent { stream_identifier, ..event }.encode_to_vec().into();
    let metadata = Metadata {
        recorded_at: Timestamp::from_unix_micros(0),
        correlation_id: Uuid::nil(),
        causation_id: Uuid::nil(),
        requester: "".into(),
        traceparent: "".into(),
        request_digest: 0,
    };
    NewEvent { id, event_type: "wire".into(), schema_version: 1, payload, metadata }
}

fn unwrap(recorded: RecordedEvent) -> WireEvent {
    let mut event = WireEvent::decode(recorded.event.payload).expect("what was wrapped");
    let position = outward(recorded.position);
    event.stream_revision = recorded.revision.0;
    // An event that commits itself has one position.
    event.prepare_position = position;
    event.commit_position = position;
    event
}
