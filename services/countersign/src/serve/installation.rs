//! What lies in a data directory, open: the log, the keys, and the foundation that use cases stand on.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context as _;
use countersign_core::{Clock, Rng, SecretString};
use countersign_enrollment::{BootstrapError, bootstrap};
use countersign_eventlog::embedded::{EmbeddedLog, EmbeddedOptions};
use countersign_eventsourcing::{CheckpointStore, EventLog, SnapshotStore};
use countersign_keys::{AssertionKey, LocalKeys};
use countersign_service::{Chain, Foundation, FoundationParts};

/// Where the first API key is written, in the data directory.
pub const FIRST_KEY_FILE: &str = "first-key";

/// Where the keys are kept, in the data directory.
pub const KEYS_DIRECTORY: &str = "keys";

/// A data directory, open. Only one process at a time can have it.
#[derive(Debug)]
pub struct Installation {
    /// What use cases stand on.
    pub foundation: Arc<Foundation>,
    /// Whether this was the first start, which made the first API key.
    pub is_new: bool,
    log: Arc<EmbeddedLog>,
    keys: LocalKeys,
}

impl Installation {
    /// Opens `directory`, making whatever is missing in it.
    ///
    /// # Errors
    /// Says what cannot be opened and why, for example that another process has it.
    pub async fn open(
        directory: &Path,
        clock: Arc<dyn Clock>,
        rng: Arc<dyn Rng>,
    ) -> anyhow::Result<Self> {
        let path = directory.to_owned();
        let keys_rng = Arc::clone(&rng);
        let opened = tokio::task::spawn_blocking(move || open_files(&path, keys_rng));
        let (log, keys) = opened.await.context("opening was interrupted")??;
        let log = Arc::new(log);
        let foundation = Arc::new(Foundation::new(FoundationParts {
            log: Arc::clone(&log) as Arc<dyn EventLog>,
            snapshots: Arc::clone(&log) as Arc<dyn SnapshotStore>,
            vault: keys.vault(),
            clock,
            rng,
        }));
        let first_key = directory.join(FIRST_KEY_FILE);
        let kept = bootstrap(&foundation, |key| keep_first_key(&first_key, key)).await;
        let is_new = kept.map_err(|error| match error {
            BootstrapError::Api(error) => {
                let below = error.source.as_deref().map(|source| Chain(source).to_string());
                let below = below.map_or_else(String::new, |below| format!(": {below}"));
                anyhow::anyhow!("the first start failed: {}{below}", error.message)
            }
            BootstrapError::Keep(error) => anyhow::Error::new(error)
                .context(format!("cannot write the first API key to {}", first_key.display())),
        })?;
        Ok(Self { foundation, is_new, log, keys })
    }

    /// Returns where followers keep how far they have come.
    #[must_use]
    pub fn checkpoints(&self) -> Arc<dyn CheckpointStore> {
        Arc::clone(&self.log) as Arc<dyn CheckpointStore>
    }

    /// Returns the key that signs assertions.
    #[must_use]
    pub fn signing_key(&self) -> Arc<AssertionKey> {
        self.keys.signing_key()
    }

    /// Closes the log: what waits is written and answered, then the directory is let go.
    pub async fn close(&self) {
        self.log.close().await;
    }
}

fn open_files(directory: &Path, rng: Arc<dyn Rng>) -> anyhow::Result<(EmbeddedLog, LocalKeys)> {
    // For the owner alone: the log tells who signs in when.
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .with_context(|| format!("cannot make the data directory {}", directory.display()))?;
    // The log first: it takes the lock of the whole directory.
    let log = EmbeddedLog::open(directory, EmbeddedOptions::default())?;
    let keys = LocalKeys::open(&directory.join(KEYS_DIRECTORY), rng)?;
    Ok((log, keys))
}

/// Writes the key for the owner's eyes only, whole or not at all.
fn keep_first_key(path: &Path, key: &SecretString) -> io::Result<()> {
    let unfinished: PathBuf = path.with_extension("unfinished");
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
    writeln!(file, "{}", key.expose())?;
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    path.parent().map_or(Ok(()), |directory| fs::File::open(directory)?.sync_all())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use countersign_service::{OsRandom, SystemClock, keys::ApiKeySecret};

    use super::*;

    async fn open(directory: &Path) -> anyhow::Result<Installation> {
        Installation::open(directory, Arc::new(SystemClock), Arc::new(OsRandom)).await
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
    async fn a_second_start_on_the_same_directory_names_the_lock() {
        let directory = tempfile::tempdir().unwrap();
        let first = open(directory.path()).await.unwrap();
        let refused = open(directory.path()).await.unwrap_err().to_string();
        assert!(refused.contains("LOCK") && refused.contains("only one process"), "{refused}");
        first.close().await;
    }
}
