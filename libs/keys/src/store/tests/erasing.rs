//! What is erased is gone: from the files, from memory, and for ever.

use std::{fs, path::Path};

use super::*;

/// Returns whether any 16 bytes of `secret` in a row are in any file of `directory`.
pub(super) fn any_trace(directory: &Path, secret: &[u8]) -> bool {
    fs::read_dir(directory).unwrap().any(|entry| {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        secret.windows(16).any(|part| bytes.windows(16).any(|found| found == part))
    })
}

/// Returns the wrapped key in a slot.
pub(super) fn wrapped(file: &[u8], slot: usize) -> Vec<u8> {
    let at = SLOT_LEN * (slot + 1) + 44;
    file[at..at + WRAPPED_LEN].to_vec()
}

#[test]
fn no_byte_of_an_erased_key_is_left_in_any_file() {
    let fixture = Fixture::new();
    let store = fixture.with_keys(&[user(1), user(2), user(3)]);
    let keys = [0, 1, 2].map(|slot| wrapped(&fixture.file(), slot));
    let Seen::Key(plain) = fixture.find(&store, user(2)) else { panic!("there is a key") };
    let directory = fixture.directory.path();
    assert!(keys.iter().all(|key| any_trace(directory, key)));
    assert!(!any_trace(directory, &plain));

    store.erase(&fixture.tenant, user(2)).unwrap();
    assert_eq!(keys.each_ref().map(|key| any_trace(directory, key)), [true, false, true]);
    assert!(!any_trace(directory, &plain));
    drop(store);
    let store = fixture.open();
    assert!(!any_trace(directory, &keys[1]));
    assert_eq!(fixture.find(&store, user(2)), Seen::Erased);
    assert!(matches!(fixture.find(&store, user(1)), Seen::Key(_)));
}

#[test]
fn an_erased_user_never_has_a_key_again() {
    let fixture = Fixture::new();
    let store = fixture.with_keys(&[user(1)]);
    let erased = |store: &KeyStore| {
        for number in [1, 2] {
            store.erase(&fixture.tenant, user(number)).unwrap();
            store.create(&fixture.tenant, user(number)).unwrap();
            assert_eq!(fixture.find(store, user(number)), Seen::Erased);
        }
    };
    erased(&store);
    erased(&store);
    let length = fixture.file().len();
    drop(store);
    erased(&fixture.open());
    assert_eq!(fixture.file().len(), length);
}

#[test]
fn an_erasure_that_fails_is_completed_by_repeating_it() {
    // Write the state, sync, wipe, sync.
    for nth in 1..=4 {
        let fixture = Fixture::new();
        let store = fixture.with_keys(&[user(1), user(2)]);
        let key = wrapped(&fixture.file(), 0);
        let before = fixture.find(&store, user(1));
        store.file.faults.fail_once(nth);
        assert!(is_unavailable(&store.erase(&fixture.tenant, user(1))));
        assert!(!store.file.faults.heal());
        let expected = if nth == 1 { before } else { Seen::Erased };
        assert_eq!(fixture.find(&store, user(1)), expected, "operation {nth}");

        store.erase(&fixture.tenant, user(1)).unwrap();
        assert!(!any_trace(fixture.directory.path(), &key));
        assert_eq!(fixture.find(&store, user(1)), Seen::Erased);
        let store = fixture.open();
        assert_eq!(fixture.find(&store, user(1)), Seen::Erased);
        assert!(matches!(fixture.find(&store, user(2)), Seen::Key(_)));
    }
}

#[test]
fn a_process_killed_while_it_erases_leaves_the_key_whole_or_gone() {
    for nth in 1..=5 {
        let fixture = Fixture::new();
        let store = fixture.with_keys(&[user(1), user(2)]);
        let key = wrapped(&fixture.file(), 0);
        let before = fixture.find(&store, user(1));
        store.file.faults.die_at(nth);
        assert_eq!(store.erase(&fixture.tenant, user(1)).is_ok(), nth == 5);
        drop(store);
        let store = fixture.open();
        if nth == 1 {
            assert_eq!(fixture.find(&store, user(1)), before);
            store.erase(&fixture.tenant, user(1)).unwrap();
        }
        assert_eq!(fixture.find(&store, user(1)), Seen::Erased);
        assert!(!any_trace(fixture.directory.path(), &key));
        assert!(matches!(fixture.find(&store, user(2)), Seen::Key(_)));
    }
}

#[test]
fn a_damaged_key_can_be_erased_and_no_longer_stands_in_the_way() {
    let fixture = Fixture::new();
    let store = fixture.with_keys(&[user(1), user(2)]);
    fixture.flip_bit(SLOT_LEN as u64 + 50);
    assert!(matches!(store.find(&fixture.tenant, user(1)), Err(VaultError::Damaged(_))));
    assert!(fixture.try_open().is_err());
    store.erase(&fixture.tenant, user(1)).unwrap();
    let store = fixture.open();
    assert_eq!(fixture.find(&store, user(1)), Seen::Erased);
    assert!(matches!(fixture.find(&store, user(2)), Seen::Key(_)));
}
