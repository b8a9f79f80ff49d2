//! The keys of an installation without a server: those that replicas share, or those of a data directory that no server has
//! open.

use std::{
    fmt, fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use countersign_eventlog::embedded::{EmbeddedLog, EmbeddedOptions};
use countersign_keys::{LocalKeys, SharedKeys};
use countersign_nats::Nats;

use super::{Keyring, Sharing};
use crate::{
    World,
    serve::{
        Config, EngineChoice, KEYS_DIRECTORY,
        installation::{connect, must_have_keys},
    },
};

/// Keys, open, and what has to be held for that.
pub(crate) struct OfflineKeys {
    /// The keys.
    pub(crate) keyring: Keyring,
    /// The lock of a data directory.
    _lock: Option<EmbeddedLog>,
    /// The connection to users' keys that replicas share.
    _nats: Option<Nats>,
}

impl fmt::Debug for OfflineKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OfflineKeys").field("keyring", &self.keyring).finish_non_exhaustive()
    }
}

impl OfflineKeys {
    /// Opens the keys of the installation that `config` describes. None are made.
    ///
    /// # Errors
    /// Says what cannot be opened and why, for example that a server has the directory.
    pub(crate) async fn open(config: &Config, world: World) -> anyhow::Result<Self> {
        match config.event_log {
            EngineChoice::Embedded => Self::of_a_directory(config, world).await,
            EngineChoice::Shared(_) => Self::shared(config, world).await,
        }
    }

    async fn of_a_directory(config: &Config, world: World) -> anyhow::Result<Self> {
        let directory = config.data_dir.clone();
        anyhow::ensure!(directory.is_dir(), "there is no directory {}", directory.display());
        let keys_dir = directory.join(KEYS_DIRECTORY);
        must_be_ours(&keys_dir)?;
        must_have_keys(&keys_dir, &directory)?;
        let lock = lock(directory).await?;
        let provider = config.keys.choice()?;
        let keys = LocalKeys::open_with(&keys_dir, &provider, world.rng, world.clock).await?;
        let keyring = Keyring::new(keys.rotation(), keys.assertion_keys(), Sharing::Alone);
        Ok(Self { keyring, _lock: Some(lock), _nats: None })
    }

    async fn shared(config: &Config, world: World) -> anyhow::Result<Self> {
        let nats = connect(config).await?;
        let (directory, provider) = (config.shared_keys_dir(), config.keys.choice()?);
        must_be_ours(&directory)?;
        let World { clock, rng } = world;
        let keys = SharedKeys::open_with(&directory, &nats, &provider, rng, clock).await?;
        let keyring = Keyring::new(keys.rotation(), keys.assertion_keys(), Sharing::Shared);
        Ok(Self { keyring, _lock: None, _nats: Some(nats) })
    }
}

/// Refuses to write as somebody else than the owner: whoever serves could not read what root has written.
fn must_be_ours(keys_dir: &Path) -> anyhow::Result<()> {
    let of = || format!("cannot look at {}", keys_dir.display());
    let (owner, us) =
        (fs::metadata(keys_dir).with_context(of)?.uid(), rustix::process::geteuid().as_raw());
    anyhow::ensure!(
        owner == us,
        "{} belongs to the user {owner}, and this is run as the user {us}: run it as the user {owner}, or whoever serves \
         could not read what is written",
        keys_dir.display()
    );
    Ok(())
}

/// Takes the lock of a data directory: a server that has it open might make keys meanwhile.
async fn lock(directory: PathBuf) -> anyhow::Result<EmbeddedLog> {
    let open = move || EmbeddedLog::open(&directory, EmbeddedOptions::default());
    Ok(tokio::task::spawn_blocking(open).await.context("opening was interrupted")??)
}
