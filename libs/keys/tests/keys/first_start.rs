//! Opening a directory of keys: made once, completed after a crash, and never made anew over what was lost.

use std::{fs, os::unix::fs::PermissionsExt as _};

use crate::support::{Keys, set_mode, user_id};
use countersign_keys::OpenError;

/// In the order in which they are made.
const FILES: [&str; 4] = ["kek", "data-keys", "assertion-keys", "index-key"];

fn missing(keys: &Keys) -> String {
    let before = keys.files();
    let error = keys.try_open().unwrap_err();
    assert_eq!(keys.files(), before, "nothing is changed");
    let OpenError::Missing { path, .. } = error else {
        panic!("expected a missing file, got {error:?}");
    };
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

#[test]
fn the_first_start_makes_keys_for_their_owner_alone() {
    let keys = Keys::made();
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(keys.directory()), 0o700);
    let names: Vec<_> = keys.files().into_keys().collect();
    assert_eq!(names, ["assertion-keys", "data-keys", "index-key", "kek"]);
    for name in FILES {
        assert_eq!(mode(keys.path(name)), 0o600, "{name}");
    }
}

#[test]
fn the_keys_are_the_same_at_every_start() {
    let keys = Keys::made();
    let (first, second) = (keys.open(), keys.open());
    let alice = user_id("alice");
    assert_eq!(
        first.vault().user_key(&keys.acme, &alice),
        second.vault().user_key(&keys.acme, &alice)
    );
    assert_eq!(first.vault().request_digest("m", b"c"), second.vault().request_digest("m", b"c"));
    assert_eq!(first.signing_key().kid(), second.signing_key().kid());
    assert_ne!(first.signing_key().kid(), Keys::made().open().signing_key().kid());
}

#[test]
fn a_first_start_that_was_killed_anywhere_is_completed() {
    let whole = Keys::made().files();
    for made in 0..=FILES.len() {
        for (unfinished, length) in [(false, 0), (true, 0), (true, 20)] {
            let keys = Keys::none();
            fs::create_dir(keys.directory()).unwrap();
            let mut left = whole.clone();
            left.retain(|name, _| FILES[..made].contains(&name.as_str()));
            if let (true, Some(name)) = (unfinished, FILES.get(made)) {
                left.insert(format!("{name}.unfinished"), whole[*name][..length].to_vec());
            }
            keys.put(&left);
            let opened = keys.open();
            for (name, content) in &left {
                if !name.ends_with(".unfinished") {
                    assert_eq!(keys.files().get(name), Some(content));
                }
            }
            assert_eq!(keys.files().len(), FILES.len());
            assert_eq!(keys.open().signing_key().kid(), opened.signing_key().kid());
        }
    }
}

#[test]
fn a_lost_key_encryption_key_is_never_replaced() {
    let whole = Keys::made().files();
    for beside in &FILES[1..] {
        let keys = Keys::made();
        let mut left = whole.clone();
        left.retain(|name, _| name == beside);
        keys.put(&left);
        assert_eq!(missing(&keys), "kek");
        let text = keys.try_open().unwrap_err().to_string();
        assert!(text.contains(beside) && text.contains("restore it from its backup"), "{text}");
    }
}

#[tokio::test]
async fn a_file_that_is_lost_after_the_first_start_is_never_replaced() {
    for name in ["kek", "data-keys", "assertion-keys"] {
        let keys = Keys::made();
        fs::remove_file(keys.path(name)).unwrap();
        assert_eq!(missing(&keys), name);
    }
    // Without any user nothing was named by it; with one, something was.
    let keys = Keys::made();
    fs::remove_file(keys.path("index-key")).unwrap();
    let vault = keys.open().vault();
    let alice = vault.user_key(&keys.acme, &user_id("alice"));
    vault.erase(&keys.acme, alice).await.unwrap();
    fs::remove_file(keys.path("index-key")).unwrap();
    assert_eq!(missing(&keys), "index-key");
}

#[test]
fn a_key_encryption_key_that_others_may_read_is_refused() {
    let keys = Keys::made();
    for mode in [0o640, 0o604, 0o660, 0o610, 0o777] {
        set_mode(&keys.path("kek"), mode);
        let error = keys.try_open().unwrap_err();
        assert!(matches!(error, OpenError::Exposed { wanted: 0o600, .. }), "{error:?}");
        let text = error.to_string();
        assert!(text.contains(&format!("mode {mode:03o}")), "{text}");
        assert!(text.contains("chmod 600"), "{text}");
    }
    set_mode(&keys.path("kek"), 0o400);
    keys.open();
}

#[test]
fn a_directory_in_which_others_may_write_is_refused() {
    let keys = Keys::made();
    for mode in [0o770, 0o707, 0o722] {
        set_mode(&keys.directory(), mode);
        let error = keys.try_open().unwrap_err();
        assert!(matches!(error, OpenError::Exposed { wanted: 0o700, .. }), "{error:?}");
    }
    set_mode(&keys.directory(), 0o755);
    keys.open();
}

#[test]
fn a_damaged_file_is_refused_and_named() {
    let keys = Keys::made();
    let whole = keys.files();
    for name in ["kek", "assertion-keys", "index-key"] {
        for bit in 0..whole[name].len() * 8 {
            keys.flip_bit(name, bit);
            let error = keys.try_open().unwrap_err();
            assert!(matches!(error, OpenError::Damaged(_)), "{name} bit {bit}: {error:?}");
            assert!(error.to_string().contains(name), "{error}");
            keys.flip_bit(name, bit);
        }
        for length in 0..whole[name].len() {
            fs::write(keys.path(name), &whole[name][..length]).unwrap();
            let error = keys.try_open().unwrap_err();
            assert!(matches!(error, OpenError::Damaged(_)), "{name} {length}: {error:?}");
        }
        keys.put(&whole);
    }
    keys.open();
}

#[test]
fn a_file_of_a_newer_release_is_told_from_a_damaged_one() {
    let keys = Keys::made();
    for (name, newest) in [("kek", 2), ("assertion-keys", 2), ("index-key", 1)] {
        let whole = keys.files();
        let mut newer = whole[name].clone();
        newer[8] = newest + 1;
        let end = newer.len() - 4;
        let checksum = crc32c::crc32c(&newer[..end]).to_le_bytes();
        newer[end..].copy_from_slice(&checksum);
        fs::write(keys.path(name), newer).unwrap();
        let error = keys.try_open().unwrap_err();
        let OpenError::Format { found, known, .. } = error else { panic!("{error:?}") };
        assert_eq!((found, known), (u16::from(newest) + 1, u16::from(newest)), "{name}");
        keys.put(&whole);
    }
}

#[test]
fn keys_of_two_installations_do_not_mix() {
    let (one, other) = (Keys::made(), Keys::none());
    // Other random bytes than the first.
    other.open();
    fs::remove_dir_all(other.directory()).unwrap();
    other.open();
    for name in FILES {
        let mixed = Keys::made();
        let mut files = one.files();
        files.insert(name.to_owned(), other.files()[name].clone());
        mixed.put(&files);
        let error = mixed.try_open().unwrap_err();
        assert!(matches!(error, OpenError::Foreign { .. }), "{name}: {error:?}");
        assert_eq!(mixed.files(), files, "nothing is changed");
    }
}
