//! Log, keys and users of the tests.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use countersign_core::{AuthenticatorId, Clock, Rng, SecretBytes, TenantId, Timestamp, UserId};
use countersign_crypto::Sealed;
use countersign_domain::{
    keyring::{self, SecretRotation},
    user_authenticators::{Command, EraseUser, IssueRecoveryCodes, StartEnrollment},
};
use countersign_enrollment::SecretRotations;
use countersign_eventlog::memory::TroubledLog;
use countersign_eventsourcing::{
    EventLog as _, Metadata, NoSnapshots, Reactor as _, RecordedEvent, Request, Revision, Source,
};
use countersign_keys::{LocalKeys, SecretsKey, VaultError};
use countersign_service::{
    ApiError, Foundation, FoundationParts, User, keyring_stream, open_record, seals,
};
use futures_util::TryStreamExt as _;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const NOW: Timestamp = Timestamp::from_unix_seconds(1_700_000_000);

struct FixedClock;

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        NOW
    }
}

/// Never the same twice.
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

pub(crate) struct World {
    directory: TempDir,
    rng: Arc<CountingRng>,
    numbers: AtomicU64,
    pub(crate) log: Arc<TroubledLog>,
    pub(crate) foundation: Arc<Foundation>,
    pub(crate) stop: CancellationToken,
}

impl World {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (rng, log) = (Arc::new(CountingRng::default()), Arc::new(TroubledLog::default()));
        let foundation = foundation(&directory, &rng, &log);
        let (numbers, stop) = (AtomicU64::new(1), CancellationToken::new());
        Self { directory, rng, numbers, log, foundation, stop }
    }

    /// Forgets everything but the log and the files of keys, as a new process does.
    pub(crate) fn restart(&mut self) {
        self.foundation = foundation(&self.directory, &self.rng, &self.log);
        self.stop = CancellationToken::new();
    }

    fn new_id(&self) -> Uuid {
        Uuid::from_u128(self.numbers.fetch_add(1, Ordering::Relaxed).into())
    }

    fn request(&self) -> Request {
        let command_id = self.new_id();
        let metadata = Metadata {
            recorded_at: NOW,
            correlation_id: command_id,
            causation_id: command_id,
            requester: "api-key:platform.k1".into(),
            traceparent: "".into(),
            request_digest: 0,
        };
        Request { command_id, metadata }
    }

    pub(crate) fn user(&self, name: &str) -> User {
        let tenant = TenantId::parse("acme").unwrap();
        self.foundation.user(&tenant, &UserId::parse(name).unwrap())
    }

    async fn generation(&self, user: &User) -> u32 {
        let known = self.foundation.authenticators.load(&user.authenticators()).await.unwrap();
        known.state.secrets_generation()
    }

    async fn execute(&self, user: &User, command: Command) {
        let (stream, request) = (user.authenticators(), self.request());
        self.foundation.authenticators.execute(&stream, &request, command).await.unwrap();
    }

    /// Seals under the data key.
    async fn seal(&self, user: &User, field: &'static str, plaintext: &str) -> Sealed {
        let vault = &self.foundation.vault;
        vault.seal(&user.tenant, user.key, field, plaintext.as_bytes()).await.unwrap()
    }

    async fn record(&self, user: &User, secret: &str) -> Sealed {
        let generation = self.generation(user).await;
        let key = SecretsKey { tenant: user.tenant.clone(), user: user.key, generation };
        let vault = &self.foundation.vault;
        vault.seal_secret(&key, seals::RECORD, secret.as_bytes()).await.unwrap()
    }

    /// Begins to enrol an app, which stays pending.
    pub(crate) async fn enroll(&self, user: &User, secret: &str) {
        let record = self.record(user, secret).await;
        self.enroll_with(user, record).await;
    }

    /// Begins to enrol an app whose record is any bytes.
    pub(crate) async fn enroll_with(&self, user: &User, record: Sealed) {
        let command = StartEnrollment {
            authenticator_id: AuthenticatorId::new(self.new_id()),
            kind: "totp".into(),
            display_name: self.seal(user, "authenticator.display_name", "Phone").await,
            user_id: self.seal(user, seals::USER_ID, "somebody").await,
            record,
            parameters: BTreeMap::new(),
            now: NOW,
            expires_at: NOW,
        };
        self.execute(user, Command::StartEnrollment(command)).await;
    }

    pub(crate) async fn issue_codes(&self, user: &User, secret: &str) {
        let command = IssueRecoveryCodes {
            new_authenticator_id: AuthenticatorId::new(self.new_id()),
            record: self.record(user, secret).await,
            count: 10,
            user_id: self.seal(user, seals::USER_ID, "somebody").await,
            now: NOW,
        };
        self.execute(user, Command::IssueRecoveryCodes(command)).await;
    }

    pub(crate) async fn erase(&self, user: &User) {
        let command = EraseUser { reason: "asked to".to_owned(), now: NOW };
        self.execute(user, Command::EraseUser(command)).await;
        self.foundation.vault.erase(&user.tenant, user.key).await.unwrap();
    }

    /// Returns a user's records as they are stored.
    pub(crate) async fn sealed(&self, user: &User) -> Vec<Sealed> {
        let known = self.foundation.authenticators.load(&user.authenticators()).await.unwrap();
        known.state.records().map(|(_, record)| record.clone()).collect()
    }

    pub(crate) async fn open(&self, user: &User, sealed: &Sealed) -> Result<String, VaultError> {
        let vault = &self.foundation.vault;
        let opened = vault.unseal_secret(&user.tenant, user.key, seals::RECORD, sealed).await?;
        Ok(String::from_utf8(opened.expose().to_vec()).unwrap())
    }

    /// Exchanges a user's key though nothing was sealed anew.
    pub(crate) async fn lose_key(&self, user: &User, generation: u32) {
        let key = SecretsKey { tenant: user.tenant.clone(), user: user.key, generation };
        let next = SecretsKey { generation: generation + 1, ..key.clone() };
        let vault = &self.foundation.vault;
        vault.begin_exchange(vec![key]).await.unwrap().remove(0).unwrap();
        vault.end_exchange(vec![next]).await.unwrap().remove(0).unwrap();
    }

    /// Opens the first record of a user as services do.
    pub(crate) async fn open_as_services_do(
        &self,
        user: &User,
    ) -> Result<Option<SecretBytes>, ApiError> {
        let known = self.foundation.authenticators.load(&user.authenticators()).await.unwrap();
        let authenticator = known.state.authenticators().first().unwrap();
        open_record(&self.foundation, user, authenticator).await
    }

    /// Returns a user's secrets.
    pub(crate) async fn secrets(&self, user: &User) -> Vec<String> {
        let mut secrets = Vec::new();
        for sealed in self.sealed(user).await {
            secrets.push(self.open(user, &sealed).await.unwrap());
        }
        secrets
    }

    /// Asks for a rotation, and returns its event.
    pub(crate) async fn begin(&self) -> RecordedEvent {
        let command = keyring::Command::BeginSecretRotation { now: NOW };
        let (stream, request) = (keyring_stream(), self.request());
        self.foundation.keyrings.execute(&stream, &request, command).await.unwrap();
        self.keyring_events().await.pop().unwrap()
    }

    pub(crate) async fn keyring_events(&self) -> Vec<RecordedEvent> {
        let events = self.log.read(&keyring_stream(), Revision::START).await.unwrap();
        events.try_collect().await.unwrap()
    }

    pub(crate) async fn react(&self, event: &RecordedEvent) -> Result<(), Source> {
        let reactor = SecretRotations::new(Arc::clone(&self.foundation), self.stop.clone());
        reactor.react(event).await
    }

    pub(crate) async fn rotation(&self) -> SecretRotation {
        let keyring = self.foundation.keyrings.load(&keyring_stream()).await.unwrap();
        *keyring.state.secret_rotation().unwrap()
    }
}

fn foundation(
    directory: &TempDir,
    rng: &Arc<CountingRng>,
    log: &Arc<TroubledLog>,
) -> Arc<Foundation> {
    let keys = LocalKeys::open(&directory.path().join("keys"), Arc::clone(rng) as _).unwrap();
    Arc::new(Foundation::new(FoundationParts {
        log: Arc::clone(log) as _,
        snapshots: Arc::new(NoSnapshots),
        vault: keys.vault(),
        clock: Arc::new(FixedClock),
        rng: Arc::clone(rng) as _,
    }))
}
