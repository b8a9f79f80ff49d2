//! Wrapping keys anew: no key is lost, whatever happens, and nothing of the old ones is left.

use std::{sync::atomic::AtomicBool, thread};

use super::{
    super::faults::Operation,
    erasing::{any_trace, wrapped},
    *,
};

const USERS: u8 = 6;

/// A store with keys, one of them erased, and a ring that has got a second version since.
struct Rotating {
    fixture: Fixture,
    ring: Arc<KeyRing>,
    before: Vec<Seen>,
    old: Vec<Vec<u8>>,
}

impl Rotating {
    fn new() -> Self {
        let mut fixture = Fixture::new();
        let rng = Arc::clone(&fixture.rng) as Arc<dyn Rng>;
        let ring = Arc::new(KeyRing::of(DataKey::from_bytes([1; 32]), Some(rng)));
        fixture.encryption = Arc::clone(&ring) as Arc<dyn KeyEncryption>;
        let store = fixture.with_keys(&(0..USERS).map(user).collect::<Vec<_>>());
        store.erase(&fixture.tenant, user(2)).unwrap();
        let old = [0, 1, 3, 4, 5].map(|slot| wrapped(&fixture.file(), slot)).to_vec();
        let before = (0..USERS).map(|number| fixture.find(&store, user(number))).collect();
        ring.add(DataKey::from_bytes([2; 32]));
        Self { fixture, ring, before, old }
    }

    fn found(&self, store: &KeyStore) -> Vec<Seen> {
        (0..USERS).map(|number| self.fixture.find(store, user(number))).collect()
    }

    fn traces(&self) -> usize {
        let directory = self.fixture.directory.path();
        self.old.iter().filter(|key| any_trace(directory, key)).count()
    }

    /// Wraps everything anew, from wherever it was.
    fn finish(&self, store: &KeyStore) {
        all(store, &self.ring).unwrap();
        assert_eq!(store.count_not_under(&self.ring, 2).unwrap(), 0);
        assert_eq!(self.traces(), 0);
        let mut names: Vec<_> = fs::read_dir(self.fixture.directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        assert_eq!(names, [NAME], "no journal is left");
    }
}

fn all(store: &KeyStore, ring: &KeyRing) -> Result<u64, VaultError> {
    let (mut next, mut keys) = (0, 0);
    while let Some(step) = store.rewrap(ring, next)? {
        (next, keys) = (step.next, keys + step.keys);
    }
    store.end_rewrap()?;
    Ok(keys)
}

#[test]
fn after_wrapping_anew_every_key_is_the_same_and_nothing_of_the_old_wrapping_is_left() {
    let rotating = Rotating::new();
    let store = rotating.fixture.open();
    assert_eq!(store.count_not_under(&rotating.ring, 2).unwrap(), 5);
    assert_eq!((rotating.traces(), store.count()), (5, 5));
    assert_eq!(all(&store, &rotating.ring).unwrap(), 5);
    rotating.finish(&store);
    assert_eq!(rotating.found(&store), rotating.before);
    let file = rotating.fixture.file();
    // Doing it again changes nothing.
    rotating.finish(&store);
    assert_eq!(rotating.fixture.file(), file);
    drop(store);
    assert_eq!(rotating.found(&rotating.fixture.open()), rotating.before);
}

#[test]
fn a_process_killed_at_any_operation_loses_no_key_and_the_next_one_goes_on() {
    for nth in 1.. {
        let rotating = Rotating::new();
        let store = rotating.fixture.open();
        store.file.faults.die_at(nth);
        let outcome = all(&store, &rotating.ring);
        let came_to_its_end = store.file.faults.heal();
        drop(store);
        let store = rotating.fixture.open();
        assert_eq!(rotating.found(&store), rotating.before, "operation {nth}");
        rotating.finish(&store);
        assert_eq!(rotating.found(&store), rotating.before, "operation {nth}");
        if came_to_its_end {
            outcome.unwrap();
            // The journal and its sync, five slots and their sync, the wiping and its sync.
            assert_eq!(nth, 11);
            return;
        }
        assert!(outcome.is_err(), "operation {nth}");
    }
}

#[test]
fn a_disk_that_fails_once_leaves_every_key_readable_and_erasable() {
    for nth in 1..=10 {
        let rotating = Rotating::new();
        let fixture = &rotating.fixture;
        let store = fixture.open();
        store.file.faults.fail_once(nth);
        assert!(all(&store, &rotating.ring).is_err(), "operation {nth}");
        assert!(!store.file.faults.heal());
        // From the disk, for nothing of it is in memory yet.
        assert_eq!(rotating.found(&store), rotating.before, "operation {nth}");

        store.erase(&fixture.tenant, user(0)).unwrap();
        assert!(!any_trace(fixture.directory.path(), &rotating.old[0]), "operation {nth}");
        let mut after = rotating.before.clone();
        after[0] = Seen::Erased;
        assert_eq!(rotating.found(&store), after);
        drop(store);
        let store = fixture.open();
        assert_eq!(rotating.found(&store), after);
        rotating.finish(&store);
        assert_eq!(rotating.found(&store), after);
    }
}

#[test]
fn a_key_that_is_erased_after_a_failure_is_not_left_in_the_journal() {
    // The wiping fails half-way: the last key is in its place and still in the journal.
    let rotating = Rotating::new();
    let fixture = &rotating.fixture;
    let store = fixture.open();
    store.file.faults.fail_once(9);
    all(&store, &rotating.ring).unwrap_err();
    let (old, new) = (&rotating.old[4], wrapped(&fixture.file(), 5));
    assert_ne!(new, *old);
    let directory = fixture.directory.path();
    let journal = fs::read(directory.join("data-keys.rewrap")).unwrap();
    assert!(journal.windows(WRAPPED_LEN).any(|bytes| bytes == new));
    // While the journal cannot be wiped, erasing does not claim to be done.
    store.file.faults.fail_once(1);
    assert!(is_unavailable(&store.erase(&fixture.tenant, user(5))));
    store.file.faults.heal();
    store.erase(&fixture.tenant, user(5)).unwrap();
    assert!(!any_trace(directory, &new) && !any_trace(directory, old));
    drop(store);
    let store = fixture.open();
    assert_eq!(fixture.find(&store, user(5)), Seen::Erased);
    assert!(!any_trace(directory, &new));
}

#[test]
fn what_is_erased_in_its_slot_is_not_brought_back_from_a_journal() {
    let rotating = Rotating::new();
    let fixture = &rotating.fixture;
    let store = fixture.open();
    // The journal is on disk, and nothing is in its place.
    store.file.faults.die_at(3);
    all(&store, &rotating.ring).unwrap_err();
    drop(store);
    let file = fs::File::options().write(true).open(fixture.path()).unwrap();
    file.write_all_at(&[0xC3], SLOT_LEN as u64).unwrap();
    file.write_all_at(&[0; WRAPPED_LEN + 4], SLOT_LEN as u64 + 44).unwrap();
    let store = fixture.open();
    let mut after = rotating.before.clone();
    after[0] = Seen::Erased;
    assert_eq!(rotating.found(&store), after);
    assert_eq!(wrapped(&fixture.file(), 0), [0; WRAPPED_LEN]);
    rotating.finish(&store);
}

/// Applies to `file` the first `length` bytes of a write.
fn apply(file: &mut Vec<u8>, at: usize, bytes: &[u8], length: usize) {
    let length = length.min(bytes.len());
    if length > 0 {
        file.resize(file.len().max(at + length), 0);
        file[at..at + length].copy_from_slice(&bytes[..length]);
    }
}

#[test]
fn whatever_reaches_the_disk_before_the_power_goes_every_key_is_there() {
    let rotating = Rotating::new();
    let before = rotating.fixture.file();
    let store = rotating.fixture.open();
    all(&store, &rotating.ring).unwrap();
    let operations = store.file.faults.operations();
    drop(store);
    let journal_path = rotating.fixture.directory.path().join("data-keys.rewrap");
    let (mut slots, mut journal) = (before, Vec::new());
    let mut unsynced: Vec<(u64, Vec<u8>)> = Vec::new();
    for operation in operations {
        let is_journal = matches!(operation, Operation::Journal { .. } | Operation::JournalSync);
        match operation {
            Operation::Write { at, bytes } => unsynced.push((at, bytes)),
            Operation::Journal { bytes } => unsynced.push((0, bytes)),
            Operation::Sync | Operation::JournalSync => {
                let file = if is_journal { &mut journal } else { &mut slots };
                for (at, bytes) in unsynced.drain(..) {
                    apply(file, usize::try_from(at).unwrap(), &bytes, bytes.len());
                }
            }
            Operation::Cut => panic!("nothing failed, so nothing is cut"),
        }
        // Of the writes since the last sync, any set reached the disk, and of each any beginning of a few lengths.
        let sets = 1_usize << unsynced.len();
        for set in 0..sets {
            for (eighths, whole) in [(1, 8), (4, 8), (7, 8), (8, 8)] {
                let mut disk = [slots.clone(), journal.clone()];
                for (number, (at, bytes)) in unsynced.iter().enumerate() {
                    if set >> number & 1 == 1 {
                        let length = bytes.len() * eighths / whole;
                        let at = usize::try_from(*at).unwrap();
                        apply(&mut disk[usize::from(is_journal)], at, bytes, length);
                    }
                }
                fs::write(rotating.fixture.path(), &disk[0]).unwrap();
                fs::write(&journal_path, &disk[1]).unwrap();
                let store = rotating.fixture.open();
                assert_eq!(rotating.found(&store), rotating.before);
            }
        }
    }
    // Where all of it reached the disk, it is done.
    rotating.finish(&rotating.fixture.open());
}

#[test]
fn whoever_erases_while_keys_are_wrapped_anew_wins() {
    let mut fixture = Fixture::new();
    let rng = Arc::clone(&fixture.rng) as Arc<dyn Rng>;
    let ring = Arc::new(KeyRing::of(DataKey::from_bytes([1; 32]), Some(rng)));
    fixture.encryption = Arc::clone(&ring) as Arc<dyn KeyEncryption>;
    let users: Vec<_> = (0..200).map(user).collect();
    let store = fixture.with_keys(&users);
    let old: Vec<_> = (0..200).map(|slot| wrapped(&fixture.file(), slot)).collect();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let (store, ring, stop) = (&store, &ring, &stop);
        scope.spawn(move || {
            for version in 2_u8.. {
                ring.add(DataKey::from_bytes([version; 32]));
                all(store, ring).unwrap();
                if stop.load(Ordering::SeqCst) || version == u8::MAX {
                    break;
                }
            }
        });
        for number in (0..200).step_by(2) {
            store.erase(&fixture.tenant, user(number)).unwrap();
            assert_eq!(fixture.find(store, user(number)), Seen::Erased);
        }
        stop.store(true, Ordering::SeqCst);
    });
    drop(store);
    let store = fixture.open();
    let file = fixture.file();
    for number in 0..200_u8 {
        let slot = usize::from(number);
        if number.is_multiple_of(2) {
            assert_eq!(fixture.find(&store, user(number)), Seen::Erased);
            assert_eq!(wrapped(&file, slot), [0; WRAPPED_LEN]);
        } else {
            assert!(matches!(fixture.find(&store, user(number)), Seen::Key(_)));
        }
        assert!(!any_trace(fixture.directory.path(), &old[slot]), "slot {slot}");
    }
}

#[test]
fn keys_that_are_made_while_the_version_changes_are_found_by_who_waits_for_them() {
    let rotating = Rotating::new();
    let fixture = &rotating.fixture;
    let store = fixture.open();
    thread::scope(|scope| {
        for thread in 0..4_u8 {
            let (store, tenant) = (&store, &fixture.tenant);
            scope.spawn(move || {
                for number in 0..30 {
                    store.create(tenant, user(10 + thread * 30 + number)).unwrap();
                }
            });
        }
        for version in 3..6_u8 {
            rotating.ring.add(DataKey::from_bytes([version; 32]));
            store.settle();
            all(&store, &rotating.ring).unwrap();
            // What others make now is under the new version, and what they made before was waited for.
            let version = u32::from(version);
            assert_eq!(store.count_not_under(&rotating.ring, version).unwrap(), 0);
        }
    });
}

#[test]
fn whoever_waits_for_keys_on_their_way_finds_them() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let begun = AtomicBool::new(false);
    thread::scope(|scope| {
        let slow = store.file.faults.slow.lock();
        // One is being synced, and one waits for the next sync.
        scope.spawn(|| store.create(&fixture.tenant, user(1)).unwrap());
        while store.file.faults.operations().is_empty() {
            thread::yield_now();
        }
        scope.spawn(|| store.create(&fixture.tenant, user(2)).unwrap());
        while store.queue.gathered() == 0 {
            thread::yield_now();
        }
        let waiting = scope.spawn(|| {
            begun.store(true, Ordering::SeqCst);
            store.settle();
            store.count()
        });
        while !begun.load(Ordering::SeqCst) {
            thread::yield_now();
        }
        drop(slow);
        assert_eq!(waiting.join().unwrap(), 2);
    });
}

#[test]
fn the_journal_of_another_store_is_not_applied() {
    let rotating = Rotating::new();
    let store = rotating.fixture.open();
    store.file.faults.die_at(3);
    all(&store, &rotating.ring).unwrap_err();
    let journal = rotating.fixture.directory.path().join("data-keys.rewrap");
    let left = fs::read(&journal).unwrap();
    let other = Fixture::new();
    let theirs = other.with_keys(&[user(0), user(1)]);
    let keys = [0, 1].map(|number| other.find(&theirs, user(number)));
    drop(theirs);
    SlotFile::create_as(rotating.fixture.directory.path(), [9; 16]).unwrap();
    let header = rotating.fixture.file();
    let mut file = other.file();
    file[..SLOT_LEN].copy_from_slice(&header[..SLOT_LEN]);
    fs::write(other.path(), file).unwrap();
    fs::write(other.directory.path().join("data-keys.rewrap"), left).unwrap();
    let theirs = other.open();
    assert_eq!([0, 1].map(|number| other.find(&theirs, user(number))), keys);
}
