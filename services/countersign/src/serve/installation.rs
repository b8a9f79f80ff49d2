//! What servers stand on, open: the log, the keys, the bus, and the foundation that use cases are called with.

use std::{
    fmt, fs::DirBuilder, os::unix::fs::DirBuilderExt as _, path::Path, sync::Arc, time::Duration,
};

use anyhow::Context as _;
use countersign_bus::{Bus, DEFAULT_MAX_AGE, InProcessBus, NatsBus, Publisher, PublisherSettings};
use countersign_core::TenantId;
use countersign_eventlog::{
    embedded::{EmbeddedLog, EmbeddedOptions},
    jetstream::JetStreamLog,
    kurrentdb::KurrentDbLog,
};
use countersign_eventsourcing::{EventLog, NoSnapshots, Revision, SnapshotStore};
use countersign_keys::{
    AssertionKeys, KeyProviderChoice, KeyReport, LocalKeys, SharedKeys, UserVault,
    verify_shared_with,
};
use countersign_nats::Nats;
use countersign_service::{Foundation, FoundationParts, tenant_stream};
use futures_util::TryStreamExt as _;

use super::{
    Config, EngineChoice, Keyring, SharedEngine, first_key::make_first_key,
    founded::must_be_its_own, keyring::Sharing,
};
use crate::{World, engines::without_login};

/// Where the keys are kept, in the data directory.
pub const KEYS_DIRECTORY: &str = "keys";

/// The file among the keys that is made last.
const LAST_KEY_FILE: &str = "index-key";

/// How long a start waits for NATS. An orchestrator starts everything at once.
const NATS_WITHIN: Duration = Duration::from_secs(30);

/// What servers stand on.
pub struct Installation {
    /// What use cases stand on.
    pub foundation: Arc<Foundation>,
    /// Whether this was the first start, which made the first API key.
    pub is_new: bool,
    /// The engine of the log.
    pub event_log: &'static str,
    /// Runs what acts because of events.
    pub bus: Arc<dyn Bus>,
    /// Copies the log to the bus; `None` where reactors follow the log itself.
    pub publisher: Option<Arc<Publisher>>,
    assertion_keys: AssertionKeys,
    keyring: Keyring,
    nats: Option<Nats>,
    embedded: Option<Arc<EmbeddedLog>>,
}

impl fmt::Debug for Installation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Installation").field("event_log", &self.event_log).finish_non_exhaustive()
    }
}

impl Installation {
    /// Opens the data directory of a single process, making whatever is missing in it. Only one process at a time can
    /// have it.
    ///
    /// # Errors
    /// Says what cannot be opened and why, for example that another process has it.
    pub async fn open(directory: &Path, world: World) -> anyhow::Result<Self> {
        Self::open_with(directory, &KeyProviderChoice::Local, world).await
    }

    /// Opens a data directory as [`open`](Self::open) does, under a key-encryption key that `provider` keeps.
    ///
    /// # Errors
    /// As [`open`](Self::open); and says that the provider is away, refuses, or is another than the one that keeps the key.
    pub async fn open_with(
        directory: &Path,
        provider: &KeyProviderChoice,
        world: World,
    ) -> anyhow::Result<Self> {
        let path = directory.to_owned();
        // The log first: it takes the lock of the whole directory.
        let opened = tokio::task::spawn_blocking(move || open_log(&path));
        let log = Arc::new(opened.await.context("opening was interrupted")??);
        let keys_dir = directory.join(KEYS_DIRECTORY);
        if has_begun(&*log).await? {
            must_have_keys(&keys_dir, directory)?;
        }
        let (rng, clock) = (Arc::clone(&world.rng), Arc::clone(&world.clock));
        let keys = LocalKeys::open_with(&keys_dir, provider, rng, clock).await?;
        let snapshots = Arc::clone(&log) as Arc<dyn SnapshotStore>;
        let foundation = foundation(Arc::clone(&log) as _, snapshots, keys.vault(), world);
        must_be_its_own(&foundation, &keys_dir).await?;
        let is_new = make_first_key(&foundation, directory).await?;
        let bus = InProcessBus::new(Arc::clone(&log) as _, Arc::clone(&log) as _);
        Ok(Self {
            foundation,
            is_new,
            event_log: EngineChoice::Embedded.name(),
            bus: Arc::new(bus),
            publisher: None,
            keyring: Keyring::new(keys.rotation(), keys.assertion_keys(), Sharing::Alone),
            assertion_keys: keys.assertion_keys(),
            nats: None,
            embedded: Some(log),
        })
    }

    /// Opens what [`init`](Self::init) made, as one of any number of replicas.
    ///
    /// # Errors
    /// Says what does not answer or is missing, and what to do.
    pub async fn join(config: &Config, world: World) -> anyhow::Result<Self> {
        let engine = shared_engine(config)?;
        let nats = connect(config).await?;
        let log: Arc<dyn EventLog> = match engine {
            SharedEngine::JetStream => Arc::new(JetStreamLog::open(nats.clone()).await?),
            SharedEngine::KurrentDb(url) => Arc::new(KurrentDbLog::open(url).await?),
        };
        let (rng, clock) = (Arc::clone(&world.rng), Arc::clone(&world.clock));
        let (keys_dir, provider) = (config.shared_keys_dir(), config.keys.choice()?);
        let keys = SharedKeys::open_with(&keys_dir, &nats, &provider, rng, clock).await?;
        let bus = NatsBus::open(nats.clone()).await?;
        let joined = Self::shared(config, log, &keys, (nats, bus), world);
        must_be_its_own(&joined.foundation, &keys_dir).await?;
        Ok(joined)
    }

    /// Makes what is missing for services over a shared log: its streams, the bus, the keys in a directory of this
    /// machine, and the first API key. Repeating it changes nothing.
    ///
    /// # Errors
    /// Says what cannot be made, or does not belong to the rest.
    pub async fn init(config: &Config, world: World) -> anyhow::Result<Self> {
        let engine = shared_engine(config)?;
        make_private(&config.data_dir)?;
        let nats = connect(config).await?;
        let log: Arc<dyn EventLog> = match engine {
            SharedEngine::JetStream => {
                let replicas = config.nats.replicas;
                let made = JetStreamLog::create(nats.clone()).await;
                Arc::new(made.with_context(|| {
                    format!("nats.replicas is {replicas}: a NATS server that stands alone keeps 1")
                })?)
            }
            SharedEngine::KurrentDb(url) => Arc::new(KurrentDbLog::open(url).await?),
        };
        let (rng, clock) = (Arc::clone(&world.rng), Arc::clone(&world.clock));
        let (keys_dir, provider) = (config.shared_keys_dir(), config.keys.choice()?);
        let keys = if has_begun(&*log).await? {
            let opened = SharedKeys::open_with(&keys_dir, &nats, &provider, rng, clock).await;
            opened.context(
                "the log is not new, so its keys must be there; new ones are not made over it",
            )?
        } else {
            SharedKeys::create_with(&keys_dir, &nats, &provider, rng, clock).await?
        };
        let bus = NatsBus::create(nats.clone(), DEFAULT_MAX_AGE).await?;
        let mut made = Self::shared(config, log, &keys, (nats, bus), world);
        must_be_its_own(&made.foundation, &keys_dir).await?;
        made.is_new = make_first_key(&made.foundation, &config.data_dir).await?;
        Ok(made)
    }

    fn shared(
        config: &Config,
        log: Arc<dyn EventLog>,
        keys: &SharedKeys,
        (nats, bus): (Nats, NatsBus),
        world: World,
    ) -> Self {
        let publisher = Publisher::new(bus.clone(), Arc::clone(&log), PublisherSettings::default());
        Self {
            // Users' streams are short; what a snapshot would spare is not worth a store that replicas share.
            foundation: foundation(log, Arc::new(NoSnapshots), keys.vault(), world),
            is_new: false,
            event_log: config.event_log.name(),
            publisher: Some(Arc::new(publisher)),
            bus: Arc::new(bus),
            keyring: Keyring::new(keys.rotation(), keys.assertion_keys(), Sharing::Shared),
            assertion_keys: keys.assertion_keys(),
            nats: Some(nats),
            embedded: None,
        }
    }

    /// Returns the keys that sign assertions, which follow rotations.
    #[must_use]
    pub fn signing_key(&self) -> AssertionKeys {
        self.assertion_keys.clone()
    }

    /// Returns the installation's own keys, to be shown and rotated.
    #[must_use]
    pub fn keyring(&self) -> Keyring {
        self.keyring.clone()
    }

    /// Reads every data key that replicas share again, and tells `progress` how many of how many are done.
    ///
    /// # Errors
    /// Says that the keys cannot be opened at all, or that this installation has none that are shared.
    pub async fn verify_keys(
        &self,
        config: &Config,
        progress: impl FnMut(u64, u64),
    ) -> anyhow::Result<KeyReport> {
        let nats = self.nats.as_ref().ok_or_else(not_shared)?;
        let (keys_dir, provider) = (config.shared_keys_dir(), config.keys.choice()?);
        let clock = Arc::clone(&self.foundation.clock);
        Ok(verify_shared_with(&keys_dir, nats, &provider, clock, progress).await?)
    }

    /// Closes an embedded log: what waits is written and answered, then the directory is let go. Shared logs are let go
    /// with their connections.
    pub async fn close(&self) {
        if let Some(log) = &self.embedded {
            log.close().await;
        }
    }
}

fn foundation(
    log: Arc<dyn EventLog>,
    snapshots: Arc<dyn SnapshotStore>,
    vault: UserVault,
    world: World,
) -> Arc<Foundation> {
    let World { clock, rng } = world;
    Arc::new(Foundation::new(FoundationParts { log, snapshots, vault, clock, rng }))
}

/// Connects to NATS, and waits for it a while.
pub(super) async fn connect(config: &Config) -> anyhow::Result<Nats> {
    let servers: Vec<_> = config.nats.servers.iter().map(|url| without_login(url)).collect();
    let named = || format!("nats.servers: {}", servers.join(", "));
    let nats = Nats::connect(&config.nats_settings()).await.with_context(named)?;
    nats.ready(NATS_WITHIN).await.with_context(named)?;
    Ok(nats)
}

/// Refuses what no other process can have open, before anything is waited for or made.
fn shared_engine(config: &Config) -> anyhow::Result<&SharedEngine> {
    match &config.event_log {
        EngineChoice::Embedded => Err(not_shared()),
        EngineChoice::Shared(engine) => Ok(engine),
    }
}

fn not_shared() -> anyhow::Error {
    anyhow::anyhow!(
        "event_log: `embedded` is for one process that serves everything; services of their own need `jetstream` or a \
         connection string of KurrentDB"
    )
}

fn open_log(directory: &Path) -> anyhow::Result<EmbeddedLog> {
    make_private(directory)?;
    Ok(EmbeddedLog::open(directory, EmbeddedOptions::default())?)
}

/// Returns whether `log` holds an installation. Its first event comes after its keys.
async fn has_begun(log: &dyn EventLog) -> anyhow::Result<bool> {
    let mut events = log.read(&tenant_stream(&TenantId::platform()), Revision::START).await?;
    Ok(events.try_next().await?.is_some())
}

/// Refuses to make keys beside a log that other keys sealed: under new ones it would be as if nobody had ever enrolled.
pub(super) fn must_have_keys(keys_dir: &Path, directory: &Path) -> anyhow::Result<()> {
    let last = keys_dir.join(LAST_KEY_FILE);
    let is_there =
        last.try_exists().with_context(|| format!("cannot look for {}", last.display()))?;
    anyhow::ensure!(
        is_there,
        "{} is missing, but the log in {} holds what its keys sealed: restore {} from the same backup; without it the \
         log cannot be read, and new keys are not made over it",
        last.display(),
        directory.display(),
        keys_dir.display()
    );
    Ok(())
}

/// Makes a directory for the owner alone: the log tells who signs in when.
fn make_private(directory: &Path) -> anyhow::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .with_context(|| format!("cannot make the data directory {}", directory.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use std::fs;

    use countersign_service::keys::ApiKeySecret;

    use super::{
        super::{FIRST_KEY_FILE, NatsConfig},
        *,
    };

    async fn open(directory: &Path) -> anyhow::Result<Installation> {
        Installation::open(directory, World::default()).await
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[tokio::test]
    async fn the_first_start_writes_a_key_for_the_owner_alone_and_later_ones_keep_it() {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join("data");
        let installation = open(&data).await.unwrap();
        assert!(installation.is_new);
        assert_eq!((mode(&data), mode(&data.join(FIRST_KEY_FILE))), (0o700, 0o600));
        let key = fs::read_to_string(data.join(FIRST_KEY_FILE)).unwrap();
        assert!(ApiKeySecret::parse(key.trim()).is_some_and(|key| key.tenant().is_platform()));
        installation.close().await;
        drop(installation);

        let again = open(&data).await.unwrap();
        assert!(!again.is_new);
        assert_eq!(fs::read_to_string(data.join(FIRST_KEY_FILE)).unwrap(), key);
        again.close().await;
    }

    #[tokio::test]
    async fn keys_are_never_made_over_a_log_that_others_sealed() {
        let directory = tempfile::tempdir().unwrap();
        let first = open(directory.path()).await.unwrap();
        first.close().await;
        drop(first);
        let keys = directory.path().join(KEYS_DIRECTORY);
        let aside = directory.path().join("aside");
        fs::rename(&keys, &aside).unwrap();
        let refused = open(directory.path()).await.unwrap_err().to_string();
        assert!(refused.contains("index-key is missing"), "{refused}");
        assert!(refused.contains("from the same backup"), "{refused}");
        assert!(!keys.exists(), "something was made");
        fs::rename(&aside, &keys).unwrap();
        open(directory.path()).await.unwrap().close().await;
    }

    #[tokio::test]
    async fn a_second_start_on_the_same_directory_names_the_lock() {
        let directory = tempfile::tempdir().unwrap();
        let first = open(directory.path()).await.unwrap();
        let refused = open(directory.path()).await.unwrap_err().to_string();
        assert!(refused.contains("LOCK") && refused.contains("only one process"), "{refused}");
        first.close().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_nats_that_does_not_answer_is_named_without_its_password() {
        let directory = tempfile::tempdir().unwrap();
        let nats = NatsConfig {
            servers: vec!["nats://countersign:hunter2@127.0.0.1:1".to_owned()],
            ..NatsConfig::default()
        };
        let (event_log, data_dir) =
            (EngineChoice::Shared(SharedEngine::JetStream), directory.path().to_owned());
        let config = Config { event_log, data_dir, nats, ..Config::default() };
        let joined = Installation::join(&config, World::default()).await.unwrap_err();
        let made = Installation::init(&config, World::default()).await.unwrap_err();
        for error in [joined, made] {
            let said = format!("{error:#} {error:?}");
            assert!(said.contains("nats.servers: nats://***@127.0.0.1:1: "), "{said}");
            assert!(said.contains("no NATS server answers: not connected within"), "{said}");
            assert!(!said.contains("hunter2"), "{said}");
        }
    }
}
