//! The store on its own, with a disk that fails.

mod concurrent;
mod crash;
mod damage;
mod erasing;
mod exchange;
mod rewrap;

use std::{
    fs,
    os::unix::fs::FileExt as _,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use countersign_core::{Rng, TenantId, UserKey};
use countersign_crypto::DataKey;
use tempfile::TempDir;

use super::{Content, Found, KeyStore, NAME, NewSlot, Owner, SLOT_LEN, Slot, SlotFile, queue};
use crate::{KeyEncryption, OpenError, VaultError, WRAPPED_LEN, ring::KeyRing};

/// Bytes that never repeat.
#[derive(Debug, Default)]
struct Drawn(AtomicU64);

impl Rng for Drawn {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(32) {
            let count = self.0.fetch_add(1, Ordering::Relaxed);
            let hash = countersign_crypto::sha256(&count.to_le_bytes());
            chunk.copy_from_slice(&hash[..chunk.len()]);
        }
    }
}

/// A store in a directory of its own.
struct Fixture {
    directory: TempDir,
    rng: Arc<Drawn>,
    encryption: Arc<dyn KeyEncryption>,
    tenant: TenantId,
}

impl Fixture {
    fn new() -> Self {
        let rng = Arc::new(Drawn::default());
        let kek = KeyRing::of(DataKey::from_bytes([1; 32]), Some(Arc::clone(&rng) as Arc<dyn Rng>));
        let directory = tempfile::tempdir().unwrap();
        SlotFile::create(directory.path(), &*rng).unwrap();
        let tenant = TenantId::parse("acme").unwrap();
        Self { directory, rng, encryption: Arc::new(kek), tenant }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join(NAME)
    }

    fn file(&self) -> Vec<u8> {
        fs::read(self.path()).unwrap()
    }

    fn try_open(&self) -> Result<KeyStore, OpenError> {
        let file = SlotFile::open(self.directory.path(), true)?;
        KeyStore::open(file, Arc::clone(&self.encryption), Arc::clone(&self.rng) as Arc<dyn Rng>)
    }

    fn open(&self) -> KeyStore {
        self.try_open().unwrap()
    }

    /// Opens the store with a key for each of `users`.
    fn with_keys(&self, users: &[UserKey]) -> KeyStore {
        let store = self.open();
        for user in users {
            store.create(&self.tenant, *user).unwrap();
        }
        store
    }

    fn find(&self, store: &KeyStore, user: UserKey) -> Seen {
        match store.find(&self.tenant, user).unwrap() {
            Found::Keys(owned) => Seen::Key(*owned.keys.data().expose()),
            Found::Erased => Seen::Erased,
            Found::Nothing => Seen::Nothing,
        }
    }

    fn flip_bit(&self, at: u64) {
        let file = fs::File::options().read(true).write(true).open(self.path()).unwrap();
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).unwrap();
        file.write_all_at(&[byte[0] ^ 1], at).unwrap();
    }
}

/// What the store has for a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    Key([u8; 32]),
    Erased,
    Nothing,
}

fn user(number: u8) -> UserKey {
    UserKey::new([number; 16])
}

fn is_unavailable(outcome: &Result<(), VaultError>) -> bool {
    matches!(outcome, Err(VaultError::Unavailable(_)))
}

#[test]
fn a_key_is_the_same_after_reopening() {
    let fixture = Fixture::new();
    let store = fixture.with_keys(&[user(1), user(2)]);
    let keys = [1, 2].map(|number| fixture.find(&store, user(number)));
    assert_ne!(keys[0], keys[1]);
    drop(store);
    let store = fixture.open();
    assert_eq!([1, 2].map(|number| fixture.find(&store, user(number))), keys);
    assert_eq!(fixture.find(&store, user(3)), Seen::Nothing);
}

#[test]
fn a_key_is_given_to_its_own_tenant_only() {
    let fixture = Fixture::new();
    let store = fixture.with_keys(&[user(1)]);
    let other = TenantId::parse("acme-b").unwrap();
    let refused = |store: &KeyStore| {
        assert!(matches!(store.find(&other, user(1)), Err(VaultError::Damaged(_))));
        assert!(matches!(store.erase(&other, user(1)), Err(VaultError::Damaged(_))));
    };
    refused(&store);
    let key = fixture.find(&store, user(1));
    // Now that it is in the cache.
    refused(&store);
    assert_eq!(fixture.find(&store, user(1)), key);
}

#[test]
fn a_full_disk_leaves_nothing_half_written_and_the_store_goes_on_after_it() {
    // The write; the sync; the write and the cutting back.
    for (nth, dies) in [(1, false), (2, false), (1, true), (2, true)] {
        let fixture = Fixture::new();
        let store = fixture.with_keys(&[user(1)]);
        let before = fixture.file();
        let faults = &store.file.faults;
        if dies {
            faults.die_at(nth);
        } else {
            faults.fail_once(nth);
        }
        assert!(is_unavailable(&store.create(&fixture.tenant, user(2))));
        assert!(!faults.heal());
        assert_eq!(fixture.find(&store, user(2)), Seen::Nothing);
        if !dies {
            assert_eq!(fixture.file(), before);
        }
        store.create(&fixture.tenant, user(3)).unwrap();
        store.create(&fixture.tenant, user(2)).unwrap();
        let keys = [1, 2, 3].map(|number| fixture.find(&store, user(number)));
        drop(store);
        let store = fixture.open();
        assert_eq!([1, 2, 3].map(|number| fixture.find(&store, user(number))), keys);
    }
}

#[test]
fn what_a_failed_write_left_behind_is_cut_before_the_next() {
    let fixture = Fixture::new();
    let store = fixture.with_keys(&[user(1)]);
    let key = |number| NewSlot {
        user: user(number),
        owner: Owner::of(&fixture.tenant),
        content: Content::Key([number; WRAPPED_LEN]),
    };
    // They are written, but neither synced nor cut.
    store.file.faults.die_at(2);
    store.append(&[key(2), key(3), key(4)]).unwrap_err();
    assert!(!store.file.faults.heal());
    assert_eq!(fixture.file().len(), 5 * SLOT_LEN);
    store.create(&fixture.tenant, user(4)).unwrap();
    assert_eq!(fixture.file().len(), 3 * SLOT_LEN);
    let key = fixture.find(&store, user(4));
    assert_eq!(fixture.find(&fixture.open(), user(4)), key);
}
