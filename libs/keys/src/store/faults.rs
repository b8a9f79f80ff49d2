//! A disk that fails or is slow, for tests, and that remembers what it was told in which order.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt as _,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

use parking_lot::Mutex;

/// What the disk was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Write {
        at: u64,
        bytes: Vec<u8>,
    },
    Cut,
    Sync,
    /// A write at the beginning of the journal.
    Journal {
        bytes: Vec<u8>,
    },
    JournalSync,
}

/// Which operations fail, and which there were.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    /// Operations until one fails; 0 if none does.
    countdown: AtomicU64,
    stays_dead: AtomicBool,
    /// Every operation fails, as when the process is killed.
    dead: AtomicBool,
    operations: Mutex<Vec<Operation>>,
    /// Whoever holds it keeps syncs from returning.
    pub(crate) slow: Mutex<()>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Strike {
    First,
    Again,
}

impl Faults {
    /// Lets the `nth` operation from now fail, the first being 1, a write when half of it is written.
    pub(crate) fn fail_once(&self, nth: u64) {
        self.stays_dead.store(false, Ordering::SeqCst);
        self.countdown.store(nth, Ordering::SeqCst);
    }

    /// Lets the `nth` operation from now fail and everything after it.
    pub(crate) fn die_at(&self, nth: u64) {
        self.stays_dead.store(true, Ordering::SeqCst);
        self.countdown.store(nth, Ordering::SeqCst);
    }

    /// Heals the disk, and returns whether a fault was still to come.
    pub(crate) fn heal(&self) -> bool {
        self.dead.store(false, Ordering::SeqCst);
        self.countdown.swap(0, Ordering::SeqCst) > 0
    }

    pub(crate) fn operations(&self) -> Vec<Operation> {
        self.operations.lock().clone()
    }

    pub(crate) fn syncs(&self) -> usize {
        self.operations().iter().filter(|operation| **operation == Operation::Sync).count()
    }

    fn strike(&self, operation: Operation) -> Option<Strike> {
        self.operations.lock().push(operation);
        if self.dead.load(Ordering::SeqCst) {
            return Some(Strike::Again);
        }
        let left = self.countdown.load(Ordering::SeqCst);
        self.countdown.store(left.saturating_sub(1), Ordering::SeqCst);
        if left != 1 {
            return None;
        }
        self.dead.store(self.stays_dead.load(Ordering::SeqCst), Ordering::SeqCst);
        Some(Strike::First)
    }

    /// Returns the bytes to write, or fails when half of them are written.
    pub(crate) fn before_write<'a>(
        &self,
        file: &File,
        bytes: &'a [u8],
        at: u64,
    ) -> io::Result<&'a [u8]> {
        self.halve(Operation::Write { at, bytes: bytes.to_vec() }, file, bytes, at)
    }

    /// As [`before_write`](Self::before_write), for the journal.
    pub(crate) fn before_journal<'a>(&self, file: &File, bytes: &'a [u8]) -> io::Result<&'a [u8]> {
        self.halve(Operation::Journal { bytes: bytes.to_vec() }, file, bytes, 0)
    }

    fn halve<'a>(
        &self,
        operation: Operation,
        file: &File,
        bytes: &'a [u8],
        at: u64,
    ) -> io::Result<&'a [u8]> {
        match self.strike(operation) {
            None => return Ok(bytes),
            Some(Strike::First) => file.write_all_at(&bytes[..bytes.len() / 2], at)?,
            Some(Strike::Again) => {}
        }
        Err(io::ErrorKind::StorageFull.into())
    }

    pub(crate) fn before_journal_sync(&self) -> io::Result<()> {
        self.refuse(Operation::JournalSync)
    }

    pub(crate) fn before_sync(&self) -> io::Result<()> {
        drop(self.slow.lock());
        self.refuse(Operation::Sync)
    }

    pub(crate) fn before_cut(&self) -> io::Result<()> {
        self.refuse(Operation::Cut)
    }

    fn refuse(&self, operation: Operation) -> io::Result<()> {
        self.strike(operation).map_or(Ok(()), |_| Err(io::Error::other("the disk does not answer")))
    }
}
