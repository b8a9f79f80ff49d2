//! A directory of keys, and bytes that never repeat.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use countersign_core::{Rng, TenantId, UserId};
use countersign_keys::{LocalKeys, OpenError};
use tempfile::TempDir;

/// Bytes that never repeat.
#[derive(Debug, Default)]
pub(crate) struct Drawn(AtomicU64);

impl Rng for Drawn {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(32) {
            let count = self.0.fetch_add(1, Ordering::Relaxed);
            let hash = countersign_crypto::sha256(&count.to_le_bytes());
            chunk.copy_from_slice(&hash[..chunk.len()]);
        }
    }
}

/// A directory of keys.
pub(crate) struct Keys {
    root: TempDir,
    rng: Arc<Drawn>,
    pub(crate) acme: TenantId,
}

impl Keys {
    /// Nothing yet.
    pub(crate) fn none() -> Self {
        Self {
            root: tempfile::tempdir().unwrap(),
            rng: Arc::default(),
            acme: TenantId::parse("acme").unwrap(),
        }
    }

    /// What the first start makes.
    pub(crate) fn made() -> Self {
        let keys = Self::none();
        keys.open();
        keys
    }

    /// Nothing yet, and other random bytes than elsewhere.
    pub(crate) fn elsewhere() -> Self {
        Self { rng: Arc::new(Drawn(AtomicU64::new(1 << 32))), ..Self::none() }
    }

    pub(crate) fn rng(&self) -> Arc<dyn Rng> {
        Arc::clone(&self.rng) as Arc<dyn Rng>
    }

    pub(crate) fn directory(&self) -> PathBuf {
        self.root.path().join("keys")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory().join(name)
    }

    pub(crate) fn try_open(&self) -> Result<LocalKeys, OpenError> {
        LocalKeys::open(&self.directory(), self.rng())
    }

    pub(crate) fn open(&self) -> LocalKeys {
        self.try_open().unwrap()
    }

    /// Returns the names and contents of all files.
    pub(crate) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        files(&self.directory())
    }

    /// Puts in place exactly these files.
    pub(crate) fn put(&self, files: &BTreeMap<String, Vec<u8>>) {
        for name in self.files().into_keys() {
            fs::remove_file(self.path(&name)).unwrap();
        }
        for (name, content) in files {
            fs::write(self.path(name), content).unwrap();
            set_mode(&self.path(name), 0o600);
        }
    }

    pub(crate) fn flip_bit(&self, name: &str, bit: usize) {
        let mut content = fs::read(self.path(name)).unwrap();
        content[bit / 8] ^= 1 << (bit % 8);
        fs::write(self.path(name), content).unwrap();
    }
}

pub(crate) fn files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    fs::read_dir(directory)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(path).unwrap())
        })
        .collect()
}

pub(crate) fn set_mode(path: &Path, mode: u32) {
    let permissions = std::os::unix::fs::PermissionsExt::from_mode(mode);
    fs::set_permissions(path, permissions).unwrap();
}

pub(crate) fn user_id(name: &str) -> UserId {
    UserId::parse(name).unwrap()
}
