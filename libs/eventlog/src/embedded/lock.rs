//! One process per data directory.

use std::{
    fs::{self, File, TryLockError},
    io::{Read as _, Seek as _, Write as _},
    path::Path,
};

use super::OpenError;

const FILE: &str = "LOCK";

/// Holds a data directory; lets go when dropped, and when the process ends however it ends.
#[derive(Debug)]
pub(crate) struct DirectoryLock(#[expect(dead_code, reason = "held, not used")] File);

impl DirectoryLock {
    /// Takes `directory`, and writes this process's id where others find it.
    pub(crate) fn take(directory: &Path) -> Result<Self, OpenError> {
        let path = directory.join(FILE);
        let failed = |source| OpenError::Io { path: path.clone(), source };
        let mut file = fs::OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Whoever holds it may be about to write its id; then it stays unknown.
                let pid = file.read_to_string(&mut holder).ok().and(holder.trim().parse().ok());
                return Err(OpenError::Locked { path, pid });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        file.set_len(0).map_err(failed)?;
        file.rewind().map_err(failed)?;
        writeln!(file, "{}", std::process::id()).map_err(failed)?;
        Ok(Self(file))
    }
}
