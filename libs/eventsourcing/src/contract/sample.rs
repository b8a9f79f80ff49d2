//! Names, events and ways of reading that the checks share.

use std::{
    hash::{BuildHasher as _, RandomState},
    sync::atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use countersign_core::{TenantId, Timestamp};
use futures_util::{StreamExt as _, TryStreamExt as _};
use uuid::Uuid;

use crate::{
    AppendError, Appended, EventLog, ExpectedRevision, Filter, FollowItem, FollowStream, Metadata,
    NewEvent, RecordedEvent, Revision, StreamId,
};

/// Makes names and events of one check.
#[derive(Debug)]
pub struct Sample {
    tenant: TenantId,
    next_id: AtomicU64,
}

impl Default for Sample {
    fn default() -> Self {
        Self::new()
    }
}

impl Sample {
    /// Begins with a tenant that no other check has used, nor an earlier run.
    ///
    /// # Panics
    /// Never: the name is in a tenant's form.
    #[must_use]
    #[expect(clippy::unwrap_used, reason = "a failed test says so by panicking")]
    pub fn new() -> Self {
        let random = RandomState::new();
        let tenant = format!("t{:016x}{:016x}", random.hash_one(0), random.hash_one(1));
        Self { tenant: TenantId::parse(&tenant).unwrap(), next_id: AtomicU64::new(0) }
    }

    /// Returns the tenant.
    #[must_use]
    pub const fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// Names a stream in the category `user`.
    ///
    /// # Panics
    /// If `key` is not in a key's form.
    #[must_use]
    pub fn stream(&self, key: &str) -> StreamId {
        self.stream_in("user", key)
    }

    /// Names a stream.
    ///
    /// # Panics
    /// If `category` or `key` is not in its form.
    #[must_use]
    #[expect(clippy::unwrap_used, reason = "a failed test says so by panicking")]
    pub fn stream_in(&self, category: &str, key: &str) -> StreamId {
        StreamId::new(category, &self.tenant, key).unwrap()
    }

    /// Makes an event of type `happened` with an id of its own.
    #[must_use]
    pub fn event(&self) -> NewEvent {
        let number = self.next_id.fetch_add(1, Ordering::Relaxed);
        let id = Uuid::new_v5(
            &Uuid::new_v5(&Uuid::NAMESPACE_OID, self.tenant.as_str().as_bytes()),
            &number.to_be_bytes(),
        );
        NewEvent {
            id,
            event_type: "happened".into(),
            schema_version: 3,
            payload: Bytes::from(format!("payload {number}")),
            metadata: Metadata {
                recorded_at: Timestamp::from_unix_micros(1_700_000_000_123_456),
                correlation_id: Uuid::from_u128(1),
                causation_id: Uuid::from_u128(2),
                requester: "api-key:test".into(),
                traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into(),
                request_digest: u64::MAX,
            },
        }
    }

    /// Makes `count` events.
    #[must_use]
    pub fn events(&self, count: usize) -> Vec<NewEvent> {
        (0..count).map(|_| self.event()).collect()
    }

    /// Wants this sample's events.
    #[must_use]
    pub fn filter(&self) -> Filter {
        Filter { tenant: Some(self.tenant.clone()), ..Filter::default() }
    }
}

/// Says where a stream with `count` events is expected to be.
#[must_use]
pub fn after(count: u64) -> ExpectedRevision {
    count
        .checked_sub(1)
        .map_or(ExpectedRevision::NoStream, |last| ExpectedRevision::Exact(Revision(last)))
}

/// Reads a whole stream.
///
/// # Panics
/// If it cannot be read.
#[expect(clippy::unwrap_used, reason = "a failed test says so by panicking")]
pub async fn read(log: &dyn EventLog, stream: &StreamId, from: u64) -> Vec<RecordedEvent> {
    log.read(stream, Revision(from)).await.unwrap().try_collect().await.unwrap()
}

/// Takes items until `count` events have come, and returns those.
///
/// # Panics
/// If following fails or ends before.
#[expect(clippy::unwrap_used, reason = "a failed test says so by panicking")]
pub async fn take_events(items: &mut FollowStream, count: usize) -> Vec<RecordedEvent> {
    let mut events = Vec::new();
    while events.len() < count {
        if let FollowItem::Event(event) = items.next().await.unwrap().unwrap() {
            events.push(event);
        }
    }
    events
}

/// Takes items until it has caught up, and returns the events before.
///
/// # Panics
/// If following fails or ends before.
#[expect(clippy::unwrap_used, reason = "a failed test says so by panicking")]
pub async fn take_until_caught_up(items: &mut FollowStream) -> Vec<RecordedEvent> {
    let mut events = Vec::new();
    loop {
        match items.next().await.unwrap().unwrap() {
            FollowItem::Event(event) => events.push(event),
            FollowItem::CaughtUp(_) => return events,
            FollowItem::Checkpoint(_) | FollowItem::Poison(_) => {}
        }
    }
}

pub(super) fn new_events(recorded: &[RecordedEvent]) -> Vec<NewEvent> {
    recorded.iter().map(|recorded| recorded.event.clone()).collect()
}

#[expect(clippy::panic, reason = "a failed test says so by panicking")]
#[track_caller]
pub(super) fn assert_conflict(result: Result<Appended, AppendError>, expected: Option<u64>) {
    match result {
        Err(AppendError::Conflict { actual }) => assert_eq!(actual, expected.map(Revision)),
        other => panic!("expected a conflict, got {other:?}"),
    }
}
