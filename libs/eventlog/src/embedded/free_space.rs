//! Free space that is left untouched, so that the disk does not run full in the middle of a write.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use countersign_eventsourcing::AppendError;

use super::error::Refused;

/// How long an answer of the operating system holds. In that time a few megabytes are written, and the reserve is larger.
const HOLDS_FOR: Duration = Duration::from_millis(50);

/// Asks the operating system now and then: once for every batch would cost more than the batch's own write.
#[derive(Debug, Default)]
pub(crate) struct FreeSpace {
    enough_until: Option<Instant>,
}

impl FreeSpace {
    /// Refuses when less than `reserve` bytes are free on the disk of `directory`.
    pub(crate) fn check(&mut self, directory: &Path, reserve: u64) -> Result<(), AppendError> {
        let now = Instant::now();
        if self.enough_until.is_some_and(|until| now < until) {
            return Ok(());
        }
        self.enough_until = None;
        // An unknown amount is no reason to refuse: the write itself will tell.
        match free_space(directory) {
            Some(free) if free < reserve => {
                Err(AppendError::Unavailable(Refused::DiskFull { free, reserve }.source()))
            }
            Some(_) | None => {
                self.enough_until = Some(now + HOLDS_FOR);
                Ok(())
            }
        }
    }
}

fn free_space(directory: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(directory).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}
