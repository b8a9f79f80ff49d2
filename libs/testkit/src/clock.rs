//! A clock that stands still until it is moved, in this process or for others too.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt as _,
    path::Path,
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use countersign_core::{Clock, Timestamp};

/// A clock that stands still until a test moves it, in either direction.
#[derive(Debug)]
pub struct MovableClock {
    now: AtomicI64,
    /// Where other processes read the time.
    shown: Option<File>,
}

impl MovableClock {
    /// Begins at `start`.
    #[must_use]
    pub const fn at(start: Timestamp) -> Self {
        Self { now: AtomicI64::new(start.unix_micros()), shown: None }
    }

    /// Begins as by default, and shows the time in a file from which [`SharedClock`]s of other processes read it.
    ///
    /// # Errors
    /// Says that the file cannot be written.
    pub fn shown_in(path: &Path) -> io::Result<Self> {
        let file = File::options().create(true).truncate(false).write(true).open(path)?;
        let clock = Self { shown: Some(file), ..Self::default() };
        clock.show()?;
        Ok(clock)
    }

    fn show(&self) -> io::Result<()> {
        let bytes = self.now.load(Ordering::SeqCst).to_le_bytes();
        self.shown.as_ref().map_or(Ok(()), |file| file.write_all_at(&bytes, 0))
    }

    /// Moves it forward.
    pub fn advance(&self, by: Duration) {
        self.set(self.now().plus(by));
    }

    /// Puts it at `now`, as when an operator mends a wrong clock.
    ///
    /// # Panics
    /// If the file in which it is shown cannot be written.
    #[expect(clippy::expect_used, reason = "the test kit fails tests by panicking")]
    pub fn set(&self, now: Timestamp) {
        self.now.store(now.unix_micros(), Ordering::SeqCst);
        self.show().expect("the time is shown");
    }
}

/// Begins in the middle of a step of the usual 30 seconds, on 2026-01-01.
impl Default for MovableClock {
    fn default() -> Self {
        Self::at(Timestamp::from_unix_seconds(1_767_225_615))
    }
}

impl Clock for MovableClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_micros(self.now.load(Ordering::SeqCst))
    }
}

/// The time of a [`MovableClock`] in another process.
#[derive(Debug)]
pub struct SharedClock(File);

impl SharedClock {
    /// Reads the time that a clock shows in `path`.
    ///
    /// # Errors
    /// Says that the file cannot be read.
    pub fn open(path: &Path) -> io::Result<Self> {
        File::open(path).map(Self)
    }
}

impl Clock for SharedClock {
    #[expect(clippy::expect_used, reason = "the test kit fails tests by panicking")]
    fn now(&self) -> Timestamp {
        let mut bytes = [0; 8];
        self.0.read_exact_at(&mut bytes, 0).expect("the time is shown");
        Timestamp::from_unix_micros(i64::from_le_bytes(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stands_still_until_it_is_moved() {
        let clock = MovableClock::default();
        let start = clock.now();
        assert_eq!(clock.now(), start);
        clock.advance(Duration::from_secs(30));
        assert_eq!(clock.now().since(start), Duration::from_secs(30));
        clock.set(start);
        assert_eq!(clock.now(), start);
    }

    #[test]
    fn who_reads_it_elsewhere_sees_the_same_time() {
        let path = std::env::temp_dir().join(format!("countersign-clock-{}", std::process::id()));
        let clock = MovableClock::shown_in(&path).unwrap();
        let elsewhere = SharedClock::open(&path).unwrap();
        assert_eq!(elsewhere.now(), clock.now());
        clock.advance(Duration::from_secs(30));
        assert_eq!(elsewhere.now(), clock.now());
        std::fs::remove_file(path).unwrap();
    }
}
