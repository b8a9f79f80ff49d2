//! What fuzz targets share: parts read off the fuzzed bytes, chance that is none, and a directory for files.
//!
//! A target is a file in `fuzz_targets/`. It asserts more than that nothing panics: what was read and written again reads
//! the same, and nothing is taken that could not have been written.

use std::{
    fs,
    path::PathBuf,
    sync::atomic::{AtomicU8, Ordering},
};

use countersign_core::Rng;

/// Fuzzed bytes, taken off from the front. Where there are none left, it goes on with zeros and empty parts.
#[derive(Debug)]
pub struct Parts<'a>(&'a [u8]);

impl<'a> Parts<'a> {
    /// Begins with all of `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Returns whether nothing is left.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes one byte.
    pub fn byte(&mut self) -> u8 {
        self.array::<1>()[0]
    }

    /// Takes `N` bytes.
    pub fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut array = [0; N];
        for (to, from) in array.iter_mut().zip(self.take(N)) {
            *to = *from;
        }
        array
    }

    /// Takes a part that says its own length in one byte.
    pub fn part(&mut self) -> &'a [u8] {
        let length = self.byte();
        self.take(length.into())
    }

    /// Takes a part that says its own length in two bytes, the greater one first.
    pub fn long_part(&mut self) -> &'a [u8] {
        let length = u16::from_be_bytes(self.array());
        self.take(length.into())
    }

    /// Takes what is left.
    pub fn rest(&mut self) -> &'a [u8] {
        self.take(usize::MAX)
    }

    fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, left) = self.0.split_at(length.min(self.0.len()));
        self.0 = left;
        taken
    }
}

/// Chance that is none: counts.
#[derive(Debug, Default)]
pub struct Counting(AtomicU8);

impl Rng for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill_with(|| self.0.fetch_add(1, Ordering::Relaxed));
    }
}

/// Returns a directory of this process alone. `run` says where such directories cost no disk, and clears them away.
#[must_use]
pub fn directory(target: &str) -> PathBuf {
    let name = format!("countersign-fuzz-{target}-{}", std::process::id());
    let directory = std::env::temp_dir().join(name);
    fs::create_dir_all(&directory).expect("a directory for the target's files");
    directory
}
