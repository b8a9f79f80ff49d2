//! Noticing that the files of the directory changed, and which version of the key-encryption key wraps.
//!
//! The stream's proof is wrapped by the version under which all replicas wrap keys, so a replica that does not know it yet,
//! or has not looked lately, makes no keys: they would be under a version that is about to be retired.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use countersign_nats::NatsAway;
use parking_lot::Mutex;
use tokio::{
    task::JoinHandle,
    time::{Instant, MissedTickBehavior, interval},
};

use super::stream::KeyStream;
use crate::{
    AssertionKeys, OpenError, VaultError,
    local_file::{ASSERTION_KEYS, open_signing_keys},
    ring::{KeyRing, RingPlace},
};

/// How often a replica looks.
const LOOK: Duration = Duration::from_secs(2);
/// For how long what it saw may be trusted.
pub(super) const TRUSTED_FOR: Duration = Duration::from_secs(20);

/// What a replica knows of the ring. The task behind it ends with it.
#[derive(Debug)]
pub(crate) struct Standing {
    watched: Arc<Watched>,
    task: JoinHandle<()>,
}

impl Drop for Standing {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Debug)]
struct Watched {
    directory: PathBuf,
    stream: KeyStream,
    place: Arc<RingPlace>,
    ring: Arc<KeyRing>,
    assertion_keys: AssertionKeys,
    /// Tells the file of signing keys that was read from others.
    seen: Mutex<Vec<u8>>,
    began: Instant,
    /// Milliseconds from `began` to the last look that showed that the ring is the stream's.
    known: AtomicU64,
    /// Whether the stream is under a version that is not in the ring here.
    behind: AtomicBool,
    /// Whether what is wrong was said.
    told: AtomicBool,
}

/// Begins to watch; what the caller has opened is what counts until the first look.
pub(crate) fn start(
    directory: PathBuf,
    stream: KeyStream,
    place: Arc<RingPlace>,
    ring: Arc<KeyRing>,
    assertion_keys: AssertionKeys,
) -> Standing {
    let watched = Arc::new(Watched {
        directory,
        stream,
        place,
        ring,
        assertion_keys,
        seen: Mutex::new(Vec::new()),
        began: Instant::now(),
        known: AtomicU64::new(0),
        behind: AtomicBool::new(false),
        told: AtomicBool::new(false),
    });
    let watching = Arc::clone(&watched);
    let task = tokio::spawn(async move {
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            match watching.look().await {
                Ok(()) => watching.told.store(false, Ordering::Relaxed),
                Err(error) => watching.tell(&error),
            }
        }
    });
    Standing { watched, task }
}

impl Standing {
    /// Looks whether keys may be wrapped here, now.
    pub(super) async fn may_wrap(&self) -> Result<(), VaultError> {
        if self.watched.is_trusted() {
            return Ok(());
        }
        let unavailable =
            |error: OpenError| VaultError::unavailable(NatsAway::new(crate::error::chain(&error)));
        self.watched.look().await.map_err(unavailable)
    }

    /// Reads the ring again because something does not open, and returns whether that gave another one.
    pub(super) async fn look_again(&self) -> bool {
        match self.watched.place.refresh(&self.watched.ring).await {
            Ok(changed) => changed,
            Err(error) => {
                self.watched.tell(&error);
                false
            }
        }
    }
}

impl Watched {
    fn is_trusted(&self) -> bool {
        let known = self.began + Duration::from_millis(self.known.load(Ordering::Relaxed));
        known.elapsed() < TRUSTED_FOR && !self.behind.load(Ordering::Relaxed)
    }

    /// Says what is wrong, once.
    fn tell(&self, error: &OpenError) {
        if !self.told.swap(true, Ordering::Relaxed) {
            tracing::warn!(error = %crate::error::chain(error), "the keys in the directory are not followed");
        }
    }

    async fn look(&self) -> Result<(), OpenError> {
        let at = Instant::now();
        let files = self.files().await;
        let setup = self.stream.setup().await?;
        let setup = setup.ok_or_else(|| {
            OpenError::Unavailable(Arc::new(NatsAway::new("the stream of keys is not there")))
        })?;
        let wrapping = setup.wrapping(&self.ring);
        self.behind.store(wrapping.is_none(), Ordering::Relaxed);
        match wrapping {
            Some(version) => {
                self.ring.wrap_under(version);
                let since = at.saturating_duration_since(self.began).as_millis();
                let since = u64::try_from(since).unwrap_or(u64::MAX);
                self.known.fetch_max(since, Ordering::Relaxed);
                files
            }
            None => {
                files?;
                setup.check(&self.stream, &self.directory, &self.ring).map(drop)
            }
        }
    }

    /// Reads the files again that changed.
    async fn files(&self) -> Result<(), OpenError> {
        self.place.refresh(&self.ring).await?;
        let path = ASSERTION_KEYS.path(&self.directory);
        let content = std::fs::read(&path).map_err(OpenError::io(&path))?;
        if *self.seen.lock() == content {
            return Ok(());
        }
        // Read whole and then again, so that what was opened is not older than what was seen.
        let keys = open_signing_keys(&self.directory, &*self.ring)?;
        self.assertion_keys.replace(keys);
        *self.seen.lock() = content;
        Ok(())
    }
}
