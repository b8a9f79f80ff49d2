//! Keeps everything in memory, for tests. The model that the property test compares the other engines with.

#[cfg(feature = "testing")]
mod troubled;

use std::{collections::HashMap, sync::Arc};

use async_trait::async_trait;
use countersign_eventsourcing::{
    AppendError, Appended, EventLog, EventStream, ExpectedRevision, Filter, FollowStream, LogId,
    NewEvent, Position, ReadError, RecordedEvent, Revision, StreamId,
};
use futures_util::{StreamExt as _, stream};
use parking_lot::Mutex;
use uuid::Uuid;

use crate::{
    MAX_APPEND_BYTES,
    envelope::Draft,
    following::{self, Head, Page, Pages},
    matcher::Matcher,
};

#[cfg(feature = "testing")]
pub use troubled::TroubledLog;

/// How many events are looked at for one page.
const PAGE_EVENTS: usize = 512;

/// A log that ends with the process.
#[derive(Debug)]
pub struct MemoryLog {
    id: LogId,
    events: Arc<Mutex<Events>>,
    head: Head,
}

#[derive(Debug, Default)]
struct Events {
    all: Vec<RecordedEvent>,
    /// Places in `all` by stream and revision.
    streams: HashMap<StreamId, Vec<usize>>,
}

impl Default for MemoryLog {
    fn default() -> Self {
        Self::new(crate::new_log_id())
    }
}

impl MemoryLog {
    /// Makes an empty log named `id`.
    #[must_use]
    pub fn new(id: LogId) -> Self {
        Self { id, events: Arc::default(), head: Head::new(0) }
    }
}

impl Events {
    fn in_stream(&self, stream: &StreamId, from: Revision) -> impl Iterator<Item = &RecordedEvent> {
        let places = self.streams.get(stream).map_or(&[][..], Vec::as_slice);
        let from = usize::try_from(from.0).unwrap_or(usize::MAX);
        places.iter().skip(from).filter_map(|place| self.all.get(*place))
    }

    /// Finds what the same append did the first time.
    fn first_time(
        &self,
        stream: &StreamId,
        first: Revision,
        ids: impl ExactSizeIterator<Item = Uuid>,
    ) -> Option<Appended> {
        let wanted = ids.len();
        let stored = self.in_stream(stream, first);
        let same: Vec<_> =
            stored.zip(ids).take_while(|(recorded, id)| recorded.event.id == *id).collect();
        let (last, _) = same.last().filter(|_| same.len() == wanted)?;
        Some(Appended { last_revision: last.revision, position: last.position })
    }
}

#[async_trait]
impl EventLog for MemoryLog {
    fn id(&self) -> LogId {
        self.id
    }

    async fn append(
        &self,
        stream: &StreamId,
        expected: ExpectedRevision,
        events: &[NewEvent],
    ) -> Result<Appended, AppendError> {
        let first = expected.first();
        let size = events.iter().map(|event| Draft::new(stream, first, event).len()).sum::<usize>();
        if size > MAX_APPEND_BYTES {
            return Err(AppendError::TooLarge { limit: MAX_APPEND_BYTES, actual: size });
        }
        let mut log = self.events.lock();
        let actual = log.streams.get(stream).map_or(0, Vec::len) as u64;
        if actual != first.0 || events.is_empty() {
            let ids = events.iter().map(|event| event.id);
            return log
                .first_time(stream, first, ids)
                .ok_or(AppendError::Conflict { actual: actual.checked_sub(1).map(Revision) });
        }
        let mut appended =
            Appended { last_revision: first, position: Position(log.all.len() as u64) };
        for (event, revision) in events.iter().zip(first.0..) {
            let place = log.all.len();
            appended =
                Appended { last_revision: Revision(revision), position: Position(place as u64) };
            log.all.push(RecordedEvent {
                stream: stream.clone(),
                revision: Revision(revision),
                position: appended.position,
                event: event.clone(),
            });
            log.streams.entry(stream.clone()).or_default().push(place);
        }
        self.head.advance(appended.position.0 + 1);
        Ok(appended)
    }

    async fn read(&self, stream: &StreamId, from: Revision) -> Result<EventStream, ReadError> {
        let events: Vec<_> = self.events.lock().in_stream(stream, from).cloned().map(Ok).collect();
        Ok(stream::iter(events).boxed())
    }

    async fn follow(
        &self,
        filter: &Filter,
        after: Option<Position>,
    ) -> Result<FollowStream, ReadError> {
        let pages =
            MemoryPages { events: Arc::clone(&self.events), matcher: Matcher::new(filter.clone()) };
        following::follow(pages, self.head.subscribe(), after)
    }

    async fn head(&self) -> Result<Option<Position>, ReadError> {
        Ok(self.head.last())
    }
}

struct MemoryPages {
    events: Arc<Mutex<Events>>,
    matcher: Matcher,
}

#[async_trait]
impl Pages for MemoryPages {
    async fn page(&mut self, next: u64, end: u64) -> Result<Page, ReadError> {
        let log = self.events.lock();
        let stretch = log
            .all
            .iter()
            .skip(usize::try_from(next).unwrap_or(usize::MAX))
            .take(usize::try_from(end - next).unwrap_or(usize::MAX).min(PAGE_EVENTS));
        let mut page = Page { events: Vec::new(), next };
        for recorded in stretch {
            page.next = recorded.position.0 + 1;
            if self.matcher.wants(recorded.stream.as_str(), &recorded.event.event_type) {
                page.events.push(recorded.clone());
            }
        }
        Ok(page)
    }
}
