//! What the operator's doctor is told.

use std::fs;

use crate::support::Keys;
use countersign_core::UserKey;
use countersign_keys::{KeyReport, OpenError, verify};

fn report(keys: &Keys) -> KeyReport {
    let before = keys.files();
    let report = verify(&keys.directory(), |_, _| {}).unwrap();
    assert_eq!(keys.files(), before, "nothing is changed");
    report
}

/// Three users with keys and two who are erased.
async fn some() -> Keys {
    let keys = Keys::none();
    let vault = keys.open().vault();
    for number in 0..4 {
        vault.seal(&keys.acme, UserKey::new([number; 16]), "f", b"v").await.unwrap();
    }
    for number in 3..5 {
        vault.erase(&keys.acme, UserKey::new([number; 16])).await.unwrap();
    }
    keys
}

#[tokio::test]
async fn sound_keys_are_counted() {
    let report = report(&some().await);
    assert_eq!(report, KeyReport { keys: 3, erased: 2, ..KeyReport::default() });
    let empty = verify(&Keys::made().directory(), |_, _| {}).unwrap();
    assert_eq!(empty, KeyReport::default());
}

#[tokio::test]
async fn progress_ends_where_it_should() {
    let mut seen = Vec::new();
    verify(&some().await.directory(), |done, total| seen.push((done, total))).unwrap();
    assert_eq!(seen.first(), Some(&(0, 5)));
    assert_eq!(seen.last(), Some(&(5, 5)));
}

#[tokio::test]
async fn a_flipped_bit_in_any_key_is_found_and_its_place_named() {
    let keys = some().await;
    for slot in 0..3 {
        for bit in 0..256 * 8 {
            let at = 256 * 8 * (slot + 1) + bit;
            keys.flip_bit("data-keys", at);
            let report = report(&keys);
            assert_eq!((report.keys, report.erased, report.problems.len()), (2, 2, 1), "{bit}");
            assert!(
                report
                    .problems
                    .iter()
                    .all(|problem| { problem.place.contains(&format!("data-keys slot {slot} ")) })
            );
            keys.flip_bit("data-keys", at);
        }
    }
}

#[tokio::test]
async fn a_key_that_is_whole_but_another_users_is_found() {
    let keys = some().await;
    let mut content = fs::read(keys.path("data-keys")).unwrap();
    // The wrapped key of slot 0 into slot 1, with a checksum that is right.
    content.copy_within(256 + 44..256 + 184, 512 + 44);
    let checksum = crc32c::crc32c(content.get(512 + 4..512 + 184).unwrap()).to_le_bytes();
    content.splice(512 + 184..512 + 188, checksum);
    fs::write(keys.path("data-keys"), content).unwrap();
    let report = report(&keys);
    assert_eq!((report.keys, report.problems.len()), (2, 1));
    assert!(report.problems.iter().all(|problem| problem.what.contains("does not open")));
}

#[tokio::test]
async fn what_a_crash_left_is_told_from_damage() {
    let keys = some().await;
    let mut content = fs::read(keys.path("data-keys")).unwrap();
    content.extend([0x3C; 50]);
    if let Some(state) = content.get_mut(256) {
        *state = 0xC3;
    }
    fs::write(keys.path("data-keys"), content).unwrap();
    let expected = KeyReport { keys: 2, erased: 3, unwiped: 1, torn: 50, ..KeyReport::default() };
    assert_eq!(report(&keys), expected);
    keys.open();
    let expected = KeyReport { unwiped: 0, torn: 0, ..expected };
    assert_eq!(report(&keys), expected);
}

#[tokio::test]
async fn the_other_keys_are_looked_at_too() {
    let keys = some().await;
    keys.flip_bit("index-key", 200);
    fs::remove_file(keys.path("assertion-keys")).unwrap();
    let report = report(&keys);
    assert_eq!(report.keys, 3);
    let problems: Vec<_> = report.problems.iter().map(ToString::to_string).collect();
    assert_eq!(problems.len(), 2, "{problems:?}");
    for (name, problem) in ["index-key", "assertion-keys"].iter().zip(problems) {
        assert!(problem.contains(name), "{problem}");
    }
}

#[tokio::test]
async fn a_directory_without_keys_is_an_error() {
    let keys = Keys::none();
    assert!(matches!(verify(&keys.directory(), |_, _| {}), Err(OpenError::Io { .. })));
    assert!(!keys.directory().exists());
    let keys = some().await;
    fs::remove_file(keys.path("kek")).unwrap();
    let error = verify(&keys.directory(), |_, _| {}).unwrap_err();
    assert!(error.to_string().contains("kek"), "{error}");
}
