//! Log, vault, time and users of the tests.

use std::{
    collections::BTreeMap,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use countersign_core::{AuthenticatorId, Clock, Rng, TenantId, Timestamp, UserId};
use countersign_domain::user_authenticators::{
    EnrollmentConfirmed, EnrollmentStarted, Event, UserAuthenticators,
};
use countersign_eventlog::memory::TroubledLog;
use countersign_eventsourcing::{
    EventCodec, EventLog, ExpectedRevision, Filter, FollowItem, Metadata, NewEvent, NoSnapshots,
    Reactor, RecordedEvent, Revision, Source, StreamId,
};
use countersign_keys::LocalKeys;
use countersign_notification::{AccountNotices, DeliverySender};
use countersign_service::{Foundation, FoundationParts, User, seals};
use futures_util::TryStreamExt as _;
use tempfile::TempDir;
use uuid::Uuid;

use crate::messenger::Provider;

pub(crate) const NOW: Timestamp = Timestamp::from_unix_seconds(1_700_000_000);
pub(crate) const ALICE: &str = "alice@example.com";
pub(crate) const BOB: &str = "bob@example.com";
pub(crate) const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

struct FixedClock;

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        NOW
    }
}

#[derive(Default)]
struct CountingRng(AtomicU64);

impl Rng for CountingRng {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let number = self.0.fetch_add(1, Ordering::Relaxed).to_be_bytes();
            chunk.copy_from_slice(&number[8 - chunk.len()..]);
        }
    }
}

pub(crate) fn tenant(name: &str) -> TenantId {
    TenantId::parse(name).unwrap()
}

/// Waits for what must happen; in paused time, fails as soon as nothing more can.
pub(crate) async fn soon<T>(awaited: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(600), awaited).await.unwrap()
}

pub(crate) struct World {
    _directory: TempDir,
    keys: LocalKeys,
    rng: Arc<CountingRng>,
    numbers: AtomicU64,
    pub(crate) log: Arc<TroubledLog>,
    pub(crate) foundation: Arc<Foundation>,
    pub(crate) provider: Arc<Provider>,
}

impl World {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let rng = Arc::new(CountingRng::default());
        let keys = LocalKeys::open(&directory.path().join("keys"), Arc::clone(&rng) as _).unwrap();
        let log = Arc::new(TroubledLog::default());
        Self {
            foundation: Self::foundation(&log, &keys, &rng),
            provider: Arc::new(Provider::new(Arc::clone(&log) as _)),
            _directory: directory,
            keys,
            rng,
            numbers: AtomicU64::new(1),
            log,
        }
    }

    fn foundation(
        log: &Arc<TroubledLog>,
        keys: &LocalKeys,
        rng: &Arc<CountingRng>,
    ) -> Arc<Foundation> {
        Arc::new(Foundation::new(FoundationParts {
            log: Arc::clone(log) as _,
            snapshots: Arc::new(NoSnapshots),
            vault: keys.vault(),
            clock: Arc::new(FixedClock),
            rng: Arc::clone(rng) as _,
        }))
    }

    /// Forgets everything but log and keys, as a new process does.
    pub(crate) fn restart(&mut self) {
        self.foundation = Self::foundation(&self.log, &self.keys, &self.rng);
    }

    pub(crate) fn notices(&self) -> AccountNotices {
        AccountNotices::new(Arc::clone(&self.foundation))
    }

    pub(crate) fn sender(&self) -> DeliverySender {
        DeliverySender::new(Arc::clone(&self.foundation), Arc::clone(&self.provider) as _)
    }

    pub(crate) fn new_id(&self) -> Uuid {
        Uuid::from_u128(self.numbers.fetch_add(1, Ordering::Relaxed).into())
    }

    pub(crate) fn user(&self, tenant_id: &str, user_id: &str) -> User {
        self.foundation.user(&tenant(tenant_id), &UserId::parse(user_id).unwrap())
    }

    pub(crate) async fn append<D: EventCodec>(
        &self,
        stream: &StreamId,
        event: &D::Event,
    ) -> RecordedEvent {
        let encoded = D::encode(event);
        let payload = encoded.payload.to_vec();
        self.append_bytes(stream, encoded.event_type, encoded.schema_version, payload).await
    }

    pub(crate) async fn append_bytes(
        &self,
        stream: &StreamId,
        event_type: &'static str,
        schema_version: u32,
        payload: Vec<u8>,
    ) -> RecordedEvent {
        let expected = match self.events(stream).await.last() {
            None => ExpectedRevision::NoStream,
            Some(last) => ExpectedRevision::Exact(last.revision),
        };
        let metadata = Metadata {
            recorded_at: NOW,
            correlation_id: self.new_id(),
            causation_id: self.new_id(),
            requester: "api-key:acme.k1".into(),
            traceparent: TRACEPARENT.into(),
            request_digest: 0,
        };
        let event = NewEvent {
            id: self.new_id(),
            event_type: event_type.into(),
            schema_version,
            payload: payload.into(),
            metadata,
        };
        self.log.append(stream, expected, &[event]).await.unwrap();
        self.events(stream).await.pop().unwrap()
    }

    /// Enrols a TOTP authenticator, and returns the event that confirms it.
    pub(crate) async fn enroll(
        &self,
        tenant_id: &str,
        user_id: &str,
    ) -> (AuthenticatorId, RecordedEvent) {
        let user = self.user(tenant_id, user_id);
        let authenticator_id = AuthenticatorId::new(self.new_id());
        let seal = async |field, plaintext: &str| {
            let vault = &self.foundation.vault;
            vault.seal(&user.tenant, user.key, field, plaintext.as_bytes()).await.unwrap()
        };
        let started = Event::EnrollmentStarted(EnrollmentStarted {
            authenticator_id,
            kind: "totp".into(),
            display_name: seal("authenticator.display_name", "Phone").await,
            user_id: seal(seals::USER_ID, user_id).await,
            record: seal("authenticator.record", "a seed").await,
            parameters: BTreeMap::new(),
            expires_at: NOW,
            started_at: NOW,
        });
        let confirmed = Event::EnrollmentConfirmed(EnrollmentConfirmed {
            authenticator_id,
            consumed_factor: None,
            confirmed_at: NOW,
        });
        let stream = user.authenticators();
        self.append::<UserAuthenticators>(&stream, &started).await;
        (authenticator_id, self.append::<UserAuthenticators>(&stream, &confirmed).await)
    }

    pub(crate) async fn events(&self, stream: &StreamId) -> Vec<RecordedEvent> {
        let events = self.log.read(stream, Revision::START).await.unwrap();
        events.try_collect().await.unwrap()
    }

    /// Returns everything in the log that `filter` wants.
    pub(crate) async fn all(&self, filter: &Filter) -> Vec<RecordedEvent> {
        let mut items = self.log.follow(filter, None).await.unwrap();
        let mut events = Vec::new();
        while let Some(FollowItem::Event(event)) = soon(items.try_next()).await.unwrap() {
            events.push(event);
        }
        events
    }

    pub(crate) async fn delivery_events(&self) -> Vec<RecordedEvent> {
        self.all(&Filter::category("deliveries")).await
    }

    /// Returns the types of all events of deliveries, in the order of the log.
    pub(crate) async fn delivery_event_types(&self) -> Vec<String> {
        let events = self.delivery_events().await.into_iter();
        events.map(|recorded| recorded.event.event_type.into_owned()).collect()
    }

    /// Waits until the log holds `count` events of this type.
    pub(crate) async fn until(&self, count: usize, event_type: &str) {
        let filter = Filter { event_types: vec![event_type.to_owned()], ..Filter::default() };
        let mut items = self.log.follow(&filter, None).await.unwrap();
        let mut seen = 0;
        while seen < count {
            let item = soon(items.try_next()).await.unwrap().unwrap();
            seen += usize::from(matches!(item, FollowItem::Event(_)));
        }
    }

    /// Shows `reactor` everything that is in the log, from the beginning.
    pub(crate) async fn pass(&self, reactor: &dyn Reactor) -> Result<(), Source> {
        for event in self.all(&reactor.filter()).await {
            reactor.react(&event).await?;
        }
        Ok(())
    }
}
