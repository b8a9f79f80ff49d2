//! What the tests share: a foundation over a log in memory, and words for what happened.

#![expect(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each test file uses its own part; a failed test says so by panicking"
)]

pub mod facts;

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use countersign_audit::AuditApi;
use countersign_core::{Clock, Rng, TenantId, Timestamp, UserId};
use countersign_domain::tenant::Role;
use countersign_eventlog::memory::MemoryLog;
use countersign_eventsourcing::{
    EventLog, ExpectedRevision, Metadata, NewEvent, NoSnapshots, Revision, StreamId,
};
use countersign_keys::LocalKeys;
use countersign_proto::audit::{
    self as wire, audit_service_server::AuditService as _, replay_events_response::Item,
};
use countersign_service::{
    Foundation, FoundationParts, User, caller::Caller, lifecycle::Lifecycle, tenant_stream,
};
use facts::Fact;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _};
use tonic::{Request, Status};
use tonic_types::StatusExt as _;
use uuid::Uuid;

pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds)
}

pub const fn wire_at(seconds: i64) -> prost_types::Timestamp {
    prost_types::Timestamp { seconds, nanos: 0 }
}

pub fn tenant(name: &str) -> TenantId {
    TenantId::parse(name).unwrap()
}

/// An auditor of `home` who names no tenant.
pub fn auditor(home: &str) -> Caller {
    let home = tenant(home);
    Caller {
        requester: format!("api-key:{home}.k1").into(),
        roles: [Role::Auditor].into(),
        organisation: None,
        user: None,
        acts_on: (!home.is_platform()).then(|| home.clone()),
        home,
    }
}

/// An auditor of the platform who names a tenant.
pub fn platform_auditor_of(name: &str) -> Caller {
    Caller { acts_on: Some(tenant(name)), ..auditor("platform") }
}

/// Makes a request as the access layer hands it on.
pub fn request<T>(caller: Caller, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.extensions_mut().insert(caller);
    request
}

/// A clock that stands where it was put.
#[derive(Debug)]
struct StandingClock(AtomicI64);

impl Clock for StandingClock {
    fn now(&self) -> Timestamp {
        at(self.0.load(Ordering::Relaxed))
    }
}

/// SplitMix64: the same bytes in every run.
#[derive(Debug)]
struct SeededRng(AtomicU64);

impl Rng for SeededRng {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let seed = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
            let mut z = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            for (byte, random) in chunk.iter_mut().zip((z ^ (z >> 31)).to_le_bytes()) {
                *byte = random;
            }
        }
    }
}

/// An audit service over a log in memory.
#[derive(Debug)]
pub struct House {
    pub api: AuditApi,
    pub foundation: Arc<Foundation>,
    pub lifecycle: Lifecycle,
    clock: Arc<StandingClock>,
    recorded: AtomicU64,
    _keys: tempfile::TempDir,
}

impl House {
    /// Begins with an empty log at second 1,000.
    pub fn empty() -> Self {
        Self::over(Arc::new(MemoryLog::default()))
    }

    pub fn over(log: Arc<dyn EventLog>) -> Self {
        let keys = tempfile::tempdir().unwrap();
        let rng: Arc<dyn Rng> = Arc::new(SeededRng(AtomicU64::new(1)));
        let clock = Arc::new(StandingClock(AtomicI64::new(1_000)));
        let foundation = Arc::new(Foundation::new(FoundationParts {
            log,
            snapshots: Arc::new(NoSnapshots),
            vault: LocalKeys::open(keys.path(), Arc::clone(&rng)).unwrap().vault(),
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            rng,
        }));
        let lifecycle = Lifecycle::new();
        Self {
            api: AuditApi::new(Arc::clone(&foundation), &lifecycle, Arc::default()),
            foundation,
            lifecycle,
            clock,
            recorded: AtomicU64::new(0),
            _keys: keys,
        }
    }

    /// Begins with tenants that were created at second 0: positions 0, 1 and so on.
    pub async fn with_tenants(names: &[&str]) -> Self {
        let house = Self::empty();
        for name in names {
            house.record(&house.user(name, "nobody"), facts::tenant_created(0), 0).await;
        }
        house
    }

    pub fn set_clock(&self, seconds: i64) {
        self.clock.0.store(seconds, Ordering::Relaxed);
    }

    pub fn user(&self, tenant_name: &str, user_id: &str) -> User {
        self.foundation.user(&tenant(tenant_name), &UserId::parse(user_id).unwrap())
    }

    /// Appends a fact to its stream, recorded at second `seconds`, and returns its position.
    pub async fn record(&self, user: &User, fact: Fact, seconds: i64) -> u64 {
        let stream = match &fact {
            Fact::Authenticators(_) => user.authenticators(),
            Fact::Challenges(_) => user.challenges(),
            Fact::SignIns(_) => user.sign_ins(),
            Fact::Tenant(_) => tenant_stream(&user.tenant),
        };
        let encoded = fact.encode();
        let version = encoded.schema_version;
        self.record_bytes(&stream, (encoded.event_type, version), encoded.payload, seconds).await
    }

    /// Appends bytes, whether or not they make sense.
    pub async fn record_bytes(
        &self,
        stream: &StreamId,
        (event_type, schema_version): (&'static str, u32),
        payload: Bytes,
        seconds: i64,
    ) -> u64 {
        let number = u128::from(self.recorded.fetch_add(1, Ordering::Relaxed));
        let event = NewEvent {
            id: Uuid::from_u128(number),
            event_type: event_type.into(),
            schema_version,
            payload,
            metadata: Metadata {
                recorded_at: at(seconds),
                correlation_id: Uuid::from_u128(0xc0),
                causation_id: Uuid::from_u128(0xca),
                requester: "api-key:acme.writer".into(),
                traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into(),
                request_digest: 0,
            },
        };
        let log = &self.foundation.log;
        let stored: Vec<_> =
            log.read(stream, Revision::START).await.unwrap().try_collect().await.unwrap();
        let expected = match stored.last() {
            None => ExpectedRevision::NoStream,
            Some(last) => ExpectedRevision::Exact(last.revision),
        };
        log.append(stream, expected, &[event]).await.unwrap().position.0
    }

    /// Begins a replay.
    pub async fn replay(
        &self,
        caller: Caller,
        message: wire::ReplayEventsRequest,
    ) -> Result<impl Stream<Item = Result<Item, Status>> + Unpin + use<>, Status> {
        let items = self.api.replay_events(request(caller, message)).await?.into_inner();
        Ok(items.map_ok(|response| response.item.unwrap()))
    }

    /// Replays to the end and returns the positions.
    pub async fn positions(&self, caller: Caller, message: wire::ReplayEventsRequest) -> Vec<u64> {
        let events = events(self.replay(caller, message).await.unwrap()).await;
        events.iter().map(|event| event.position).collect()
    }

    pub async fn state_as_of(
        &self,
        caller: Caller,
        message: wire::GetStateAsOfRequest,
    ) -> Result<wire::GetStateAsOfResponse, Status> {
        Ok(self.api.get_state_as_of(request(caller, message)).await?.into_inner())
    }
}

/// Takes items to the end of the stream: events, and nothing else.
pub async fn events(items: impl Stream<Item = Result<Item, Status>>) -> Vec<wire::RecordedEvent> {
    let mut items = pin!(items);
    let mut events = Vec::new();
    while let Some(item) = items.next().await {
        events.push(event(item.unwrap()));
    }
    events
}

pub fn event(item: Item) -> wire::RecordedEvent {
    match item {
        Item::Event(event) => event,
        Item::CaughtUpPosition(position) => {
            unreachable!("an event was expected, not the end of what was there, {position}")
        }
    }
}

/// The reason in a status.
pub fn reason(status: &Status) -> String {
    status.get_details_error_info().unwrap().reason
}

/// Everything that a status tells its caller.
pub fn told(status: &Status) -> String {
    let headers = status.clone().into_http::<()>().into_parts().0.headers;
    format!("{headers:?} {:?} {:?}", status.message(), status.get_error_details())
}

/// The field that a status names.
pub fn field(status: &Status) -> String {
    let violations = status.get_details_bad_request().unwrap().field_violations;
    violations.into_iter().next().unwrap().field
}
