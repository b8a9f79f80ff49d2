//! Reading: streams by revision, the log by position.

use std::sync::Arc;

use async_trait::async_trait;
use countersign_eventsourcing::{
    Corruption, EventStream, Position, ReadError, RecordedEvent, Revision, StreamId,
};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::task::spawn_blocking;

use super::{
    error::{Refused, StoreError},
    shared::Shared,
    store::{Store, index_entry, index_key, number},
};
use crate::{
    envelope::{Decoder, Envelope},
    following::{Page, Pages},
    matcher::Matcher,
};

/// How much is read at once where a caller waits on an async thread.
const INLINE_EVENTS: usize = 64;
/// How much is read at once off the async threads.
const PAGE_EVENTS: usize = 1024;
const PAGE_BYTES: usize = 1024 * 1024;
/// How many events are looked at for one page, wanted or not.
const PAGE_LOOKED_AT: u64 = 8 * 1024;
/// An index as large as this is not worth collecting.
const MAX_PLANNED: usize = 65_536;

/// Reads a stream from `from` to where it ends now.
pub(crate) fn read_stream(
    shared: &Arc<Shared>,
    stream: &StreamId,
    from: Revision,
) -> Result<EventStream, ReadError> {
    let Some(head) = shared.head_of(stream)?.filter(|head| from <= head.revision) else {
        return Ok(stream::empty().boxed());
    };
    let first = stream_page(shared, stream, from, head.revision, INLINE_EVENTS)?;
    let next = from.0 + first.len() as u64;
    let first = stream::iter(first.into_iter().map(Ok));
    if next > head.revision.0 {
        return Ok(first.boxed());
    }
    let rest = LongRead {
        shared: Arc::clone(shared),
        stream: stream.clone(),
        next,
        through: head.revision,
    };
    let rest = stream::try_unfold(rest, LongRead::page);
    Ok(first
        .chain(rest.map_ok(|page| stream::iter(page.into_iter().map(Ok))).try_flatten())
        .boxed())
}

struct LongRead {
    shared: Arc<Shared>,
    stream: StreamId,
    next: u64,
    through: Revision,
}

impl LongRead {
    async fn page(mut self) -> Result<Option<(Vec<RecordedEvent>, Self)>, ReadError> {
        if self.next > self.through.0 {
            return Ok(None);
        }
        off_the_async_threads(move || {
            let from = Revision(self.next);
            let page = stream_page(&self.shared, &self.stream, from, self.through, PAGE_EVENTS)?;
            self.next += page.len() as u64;
            Ok(Some((page, self)))
        })
        .await
    }
}

/// Reads at least one event of a stream that is known to reach until `through`.
fn stream_page(
    shared: &Shared,
    stream: &StreamId,
    from: Revision,
    through: Revision,
    limit: usize,
) -> Result<Vec<RecordedEvent>, ReadError> {
    let damaged = |revision: u64, what: &str| {
        ReadError::Corrupt(Corruption {
            place: format!("{stream} revision {revision}"),
            what: what.to_owned(),
        })
    };
    shared.with_store(|store| {
        let mut decoder = Decoder::default();
        let (mut page, mut bytes, mut expected) = (Vec::new(), 0, from.0);
        for entry in store.streams.range(index_key(stream, from)..=index_key(stream, through)) {
            let at = || format!("{stream} revision {expected}");
            let (key, value) =
                entry.into_inner().map_err(|error| StoreError::from(error).at(at))?;
            let entry = index_entry(&key, &value).map_err(|error| error.at(at))?;
            if entry.revision.0 != expected {
                return Err(damaged(expected, "missing"));
            }
            let position = entry.position;
            let stored = event_at(store, position)?
                .ok_or_else(|| damaged(expected, &format!("position {position} is missing")))?;
            let event = open_at(&stored, position, &mut decoder)?;
            if event.stream != *stream || event.revision != entry.revision {
                return Err(damaged(expected, &format!("another event is at position {position}")));
            }
            bytes += stored.len();
            page.push(event);
            expected += 1;
            if page.len() >= limit || bytes >= PAGE_BYTES {
                return Ok(page);
            }
        }
        if expected <= through.0 {
            return Err(damaged(expected, "missing"));
        }
        Ok(page)
    })
}

/// Returns the event ids that stand in `stream` from `first` on, at most `count`, with the last one's place.
pub(crate) fn ids_at(
    shared: &Shared,
    stream: &StreamId,
    first: Revision,
    count: usize,
) -> Result<Vec<RecordedEvent>, ReadError> {
    let Some(head) = shared.head_of(stream)? else { return Ok(Vec::new()) };
    let last = first.0.saturating_add(count as u64).saturating_sub(1);
    if last > head.revision.0 || count == 0 {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    while found.len() < count {
        let from = Revision(first.0 + found.len() as u64);
        found.extend(stream_page(shared, stream, from, Revision(last), count - found.len())?);
    }
    Ok(found)
}

fn event_at(store: &Store, position: Position) -> Result<Option<super::store::Value>, ReadError> {
    let found = store.events.get(position.0.to_be_bytes());
    found.map_err(|error| StoreError::from(error).at(|| format!("position {position}")))
}

fn open_at(
    stored: &[u8],
    position: Position,
    decoder: &mut Decoder,
) -> Result<RecordedEvent, ReadError> {
    let event = envelope_at(stored, position)
        .and_then(|envelope| decoder.decode(&envelope).map_err(|error| error.to_string()));
    event.map_err(|what| {
        ReadError::Corrupt(Corruption { place: format!("position {position}"), what })
    })
}

/// Opens the envelope stored at `position`, and makes sure that it belongs there.
pub(crate) fn envelope_at(stored: &[u8], position: Position) -> Result<Envelope<'_>, String> {
    let envelope = Envelope::open(stored).map_err(|error| error.to_string())?;
    if envelope.position() == position.0 {
        Ok(envelope)
    } else {
        Err(format!("the event of position {} is stored here", envelope.position()))
    }
}

/// Pages for one follower.
pub(crate) struct LogPages {
    shared: Arc<Shared>,
    matcher: Arc<Matcher>,
    /// Positions of the wanted events before `planned_until`, where the index knew them.
    plan: Option<Arc<[u64]>>,
    planned_until: u64,
}

impl LogPages {
    /// Begins to read after `next`; looks into the index if the filter wants few enough streams.
    pub(crate) async fn begin(
        shared: &Arc<Shared>,
        matcher: Matcher,
        next: u64,
        end: u64,
    ) -> Result<Self, ReadError> {
        let (shared, matcher) = (Arc::clone(shared), Arc::new(matcher));
        let filter = matcher.filter();
        let indexed = !filter.streams.is_empty() || !filter.categories.is_empty();
        // A short stretch is read faster than planned.
        let plan = if indexed && end.saturating_sub(next) > PAGE_LOOKED_AT {
            let (shared, matcher) = (Arc::clone(&shared), Arc::clone(&matcher));
            off_the_async_threads(move || plan(&shared, &matcher, next, end)).await?
        } else {
            None
        };
        Ok(Self { shared, matcher, plan, planned_until: end })
    }
}

/// Collects the positions in question, unless they are too many.
fn plan(
    shared: &Shared,
    matcher: &Matcher,
    next: u64,
    end: u64,
) -> Result<Option<Arc<[u64]>>, ReadError> {
    let filter = matcher.filter();
    let prefixes: Vec<Vec<u8>> = if filter.streams.is_empty() {
        filter.categories.iter().map(|category| format!("{category}-").into_bytes()).collect()
    } else {
        let named = filter.streams.iter();
        named.map(|stream| [stream.as_str().as_bytes(), &[0]].concat()).collect()
    };
    let worth_it = usize::try_from((end - next) / 8).unwrap_or(usize::MAX).min(MAX_PLANNED);
    let mut looked_at = 0;
    let mut positions = Vec::new();
    shared.with_store(|store| {
        for prefix in &prefixes {
            for entry in store.streams.prefix(prefix) {
                looked_at += 1;
                if looked_at > worth_it {
                    return Ok(None);
                }
                let at = || "the index by stream".to_owned();
                let (key, value) =
                    entry.into_inner().map_err(|error| StoreError::from(error).at(at))?;
                let entry = index_entry(&key, &value).map_err(|error| error.at(at))?;
                if (next..end).contains(&entry.position.0) && matcher.wants_stream(entry.stream) {
                    positions.push(entry.position.0);
                }
            }
        }
        positions.sort_unstable();
        // A stream may have been named twice.
        positions.dedup();
        Ok(Some(positions.into()))
    })
}

#[async_trait]
impl Pages for LogPages {
    async fn page(&mut self, next: u64, end: u64) -> Result<Page, ReadError> {
        let (shared, matcher) = (Arc::clone(&self.shared), Arc::clone(&self.matcher));
        match self.plan.clone().filter(|_| next < self.planned_until) {
            Some(plan) => {
                let end = end.min(self.planned_until);
                off_the_async_threads(move || planned_page(&shared, &matcher, &plan, next, end))
                    .await
            }
            None if end - next <= INLINE_EVENTS as u64 => scan_page(&shared, &matcher, next, end),
            None => off_the_async_threads(move || scan_page(&shared, &matcher, next, end)).await,
        }
    }
}

fn planned_page(
    shared: &Shared,
    matcher: &Matcher,
    plan: &[u64],
    next: u64,
    end: u64,
) -> Result<Page, ReadError> {
    let begin = plan.partition_point(|position| *position < next);
    let mut page = Page { events: Vec::new(), next: end };
    let (mut decoder, mut bytes) = (Decoder::default(), 0);
    shared.with_store(|store| {
        for position in plan.iter().skip(begin).copied().take_while(|position| *position < end) {
            if page.events.len() >= PAGE_EVENTS || bytes >= PAGE_BYTES {
                page.next = position;
                break;
            }
            let stored = event_at(store, Position(position))?.ok_or_else(|| missing(position))?;
            let event = open_at(&stored, Position(position), &mut decoder)?;
            if matcher.wants(event.stream.as_str(), &event.event.event_type) {
                bytes += stored.len();
                page.events.push(event);
            }
        }
        Ok(page)
    })
}

fn scan_page(shared: &Shared, matcher: &Matcher, next: u64, end: u64) -> Result<Page, ReadError> {
    let end = end.min(next.saturating_add(PAGE_LOOKED_AT));
    let mut page = Page { events: Vec::new(), next };
    let (mut decoder, mut bytes) = (Decoder::default(), 0);
    shared.with_store(|store| {
        for entry in store.events.range(next.to_be_bytes()..end.to_be_bytes()) {
            let position = page.next;
            let at = || format!("position {position}");
            let (key, stored) =
                entry.into_inner().map_err(|error| StoreError::from(error).at(at))?;
            if number(&key) != Some(position) {
                return Err(missing(position));
            }
            let damaged = |what| {
                ReadError::Corrupt(Corruption { place: format!("position {position}"), what })
            };
            let envelope = envelope_at(&stored, Position(position)).map_err(damaged)?;
            page.next += 1;
            if matcher.wants(envelope.stream(), envelope.event_type()) {
                let event =
                    decoder.decode(&envelope).map_err(|error| damaged(error.to_string()))?;
                bytes += stored.len();
                page.events.push(event);
            }
            if page.events.len() >= PAGE_EVENTS || bytes >= PAGE_BYTES {
                return Ok(page);
            }
        }
        if page.next < end {
            return Err(missing(page.next));
        }
        Ok(page)
    })
}

fn missing(position: u64) -> ReadError {
    ReadError::Corrupt(Corruption {
        place: format!("position {position}"),
        what: "missing".to_owned(),
    })
}

async fn off_the_async_threads<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, ReadError> + Send + 'static,
) -> Result<T, ReadError> {
    spawn_blocking(read)
        .await
        .unwrap_or_else(|_| Err(ReadError::Unavailable(Refused::Closed.source())))
}
