//! Following files that change: what was made of them is made anew, and stays what it was if that cannot be done.

use std::{fmt, mem, sync::Arc, time::Duration};

use countersign_core::{Chain, Timestamp};
use parking_lot::{Mutex, RwLock};
use tokio::time::MissedTickBehavior;

use crate::{
    Material, TlsError,
    files::{Contents, Digest, Paths},
};

/// How often files are looked at. Their content is compared, not their age: where file systems keep time coarsely, a file
/// that is written twice at once looks unchanged.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Makes what is used of what was read.
type Make<T> = Box<dyn Fn(Material) -> Result<T, TlsError> + Send + Sync>;

/// Something that is made of files, and made anew when they change. What uses it already goes on with what it has.
pub struct Live<T> {
    paths: Paths,
    make: Make<T>,
    held: RwLock<Held<T>>,
    /// Held while files are read, so that an older content never comes after a newer one.
    seen: Mutex<Seen>,
    trouble: RwLock<Option<String>>,
}

struct Held<T> {
    made: Arc<T>,
    expires_at: Option<Timestamp>,
}

/// The content of all files, or why they cannot be read.
type Sight = Result<Digest, String>;

struct Seen {
    /// What is in use.
    used: Digest,
    /// What was there at the last look.
    last: Sight,
}

/// What came of a look at the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// They are what is in use.
    Unchanged,
    /// They are different since this look, and perhaps somebody is still writing: the next look will tell.
    Settling,
    /// They were different at the last look too, and are in use now.
    Changed,
    /// They were different at the last look too, and cannot be used: see [`Live::trouble`].
    Refused,
}

impl<T> fmt::Debug for Live<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live").field("paths", &self.paths).finish_non_exhaustive()
    }
}

impl<T> Live<T> {
    /// Reads the files for the first time.
    pub(crate) fn open(
        paths: Paths,
        make: impl Fn(Material) -> Result<T, TlsError> + Send + Sync + 'static,
    ) -> Result<Self, TlsError> {
        let contents = paths.read()?;
        let used = contents.digest();
        let material = Material::parse(&paths, &contents)?;
        let expires_at = material.expires_at;
        let held = RwLock::new(Held { made: Arc::new(make(material)?), expires_at });
        let seen = Mutex::new(Seen { used, last: Ok(used) });
        Ok(Self { paths, make: Box::new(make), held, seen, trouble: RwLock::default() })
    }

    /// Returns what is in use now.
    #[must_use]
    pub fn current(&self) -> Arc<T> {
        Arc::clone(&self.held.read().made)
    }

    /// Returns when the certificate that is in use expires; `None` if there is none.
    #[must_use]
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.held.read().expires_at
    }

    /// Returns why the files, which are not what is in use, cannot be used.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.trouble.read().clone()
    }

    /// Uses what is in the files now. Reads them, and so may block for as long as that takes.
    ///
    /// # Errors
    /// Names the file and what is wrong with it; what was in use still is.
    pub fn reload(&self) -> Result<(), TlsError> {
        let mut seen = self.seen.lock();
        let used = self.paths.read().and_then(|contents| self.take(&mut seen, &contents));
        used.inspect_err(|error| self.complain(error))
    }

    /// Looks at the files, and uses them if they were the same at the last look, so that nobody is caught half-way through
    /// a change. Reads them, and so may block for as long as that takes.
    pub fn look(&self) -> Look {
        let mut seen = self.seen.lock();
        let read = self.paths.read();
        let sight = match &read {
            Ok(contents) => Ok(contents.digest()),
            Err(error) => Err(Chain(error).to_string()),
        };
        let is_used = sight == Ok(seen.used);
        let is_new = mem::replace(&mut seen.last, sight.clone()) != sight;
        if is_used {
            *self.trouble.write() = None;
            return Look::Unchanged;
        }
        if is_new {
            return Look::Settling;
        }
        match read.and_then(|contents| self.take(&mut seen, &contents)) {
            Ok(()) => Look::Changed,
            Err(error) => {
                self.complain(&error);
                Look::Refused
            }
        }
    }

    fn take(&self, seen: &mut Seen, contents: &Contents) -> Result<(), TlsError> {
        let digest = contents.digest();
        if digest != seen.used {
            let material = Material::parse(&self.paths, contents)?;
            let expires_at = material.expires_at;
            let made = Arc::new((self.make)(material)?);
            *self.held.write() = Held { made, expires_at };
            let expires_at = expires_at.map(tracing::field::display);
            tracing::info!(files = %self.paths, expires_at, "new certificates are in use");
        }
        *seen = Seen { used: digest, last: Ok(digest) };
        *self.trouble.write() = None;
        Ok(())
    }

    /// Says once what is wrong.
    fn complain(&self, error: &TlsError) {
        let trouble = Some(Chain(error).to_string());
        if *self.trouble.read() != trouble {
            tracing::warn!(
                error = trouble,
                "new certificates cannot be used; the old ones still are"
            );
            *self.trouble.write() = trouble;
        }
    }
}

impl<T: Send + Sync + 'static> Live<T> {
    /// Looks at the files again and again, for ever.
    pub async fn follow(self: Arc<Self>) {
        let mut turns = tokio::time::interval(LOOK_EVERY);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            turns.tick().await;
            let live = Arc::clone(&self);
            if let Err(error) = tokio::task::spawn_blocking(move || live.look()).await {
                tracing::warn!(%error, "the files of TLS could not be looked at");
            }
        }
    }
}
