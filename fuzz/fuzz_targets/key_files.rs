//! Files of keys: a slot, a ring and a frame are read as they were written or not at all.

#![no_main]

use std::{fs, path::PathBuf, sync::LazyLock};

use countersign_fuzz::{Parts, directory};
use countersign_keys::fuzzing::{SLOT_LEN, read_frame, ring, slot, write_frame};
use libfuzzer_sys::fuzz_target;

const LIVE: u8 = 0x3C;

static DIRECTORY: LazyLock<PathBuf> = LazyLock::new(|| directory("key-files"));

fuzz_target!(|bytes: &[u8]| {
    let mut parts = Parts::new(bytes);
    let (checked, flip) = (parts.byte(), parts.byte());
    let mut found = parts.array::<SLOT_LEN>();
    if checked & 1 == 1 {
        put_checksum(&mut found, 1, 40);
    }
    if checked & 2 == 2 {
        put_checksum(&mut found, 4, 116);
    }
    if let Some(written) = slot(&found) {
        assert_eq!(slot(&written), Some(written));
        // Of an erased one only the mark is certain.
        assert!(found[0] != LIVE || written == found);
        let mut altered = written;
        let at = 1 + usize::from(flip) % (SLOT_LEN - 1);
        altered[at] ^= 1 << (flip % 8);
        assert!(found[0] != LIVE || slot(&altered).is_none());
    }
    let content = parts.rest();
    assert!(ring(&DIRECTORY, content).is_none_or(|[read, written]| read == written));
    assert!(write_frame(&DIRECTORY, content));
    assert_eq!(read_frame(&DIRECTORY).as_deref(), Some(content));
    let path = DIRECTORY.join("framed");
    let mut altered = fs::read(&path).expect("the frame was written");
    let at = usize::from(flip) * 257 % altered.len();
    altered[at] ^= 1 << (flip % 8);
    fs::write(&path, &altered).expect("the frame can be written over");
    assert_eq!(read_frame(&DIRECTORY), None);
    fs::write(&path, content).expect("the frame can be written over");
    assert_eq!(read_frame(&DIRECTORY), None);
});

/// Puts the checksum of what lies from `from` on there, at `to`.
fn put_checksum(slot: &mut [u8; SLOT_LEN], from: usize, to: usize) {
    let checksum = crc32c::crc32c(&slot[from..to]).to_le_bytes();
    slot[to..to + 4].copy_from_slice(&checksum);
}
