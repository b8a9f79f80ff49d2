//! Journals of the embedded log: what a crash left is cut once and for good, and whole batches are never cut.

#![no_main]

use std::{fs, path::PathBuf, sync::LazyLock};

use countersign_eventlog::embedded::fuzzing::survey;
use countersign_fuzz::{Parts, directory};
use libfuzzer_sys::fuzz_target;
use xxhash_rust::xxh3::xxh3_64;

const EVENTS: u64 = 1;

static DIRECTORY: LazyLock<PathBuf> = LazyLock::new(|| directory("journals"));

fuzz_target!(|bytes: &[u8]| {
    let mut parts = Parts::new(bytes);
    let mut journal = Vec::new();
    for _ in 0..parts.byte() % 8 {
        journal.extend_from_slice(&batch(&mut parts));
    }
    let whole = journal.len();
    journal.extend_from_slice(parts.rest());
    let path = DIRECTORY.join("0.jnl");
    fs::write(&path, &journal).expect("the journal can be written");
    let Some(events) = survey(&DIRECTORY, EVENTS) else { return };
    let left = fs::read(&path).expect("the journal can be read");
    assert!(left.len() >= whole && journal.starts_with(&left));
    assert_eq!(survey(&DIRECTORY, EVENTS), Some(events));
    assert_eq!(fs::read(&path).expect("the journal can be read"), left);
});

/// A whole batch of one item, whose place and size the fuzzer chooses.
fn batch(parts: &mut Parts<'_>) -> Vec<u8> {
    let (sequence, keyspace, position) = (parts.byte(), parts.byte() % 2, parts.array::<8>());
    let value = parts.part();
    let length = u32::try_from(value.len()).expect("one byte says it").to_le_bytes();
    let item = [
        &[2, 0, 0][..],
        &u64::from(keyspace).to_le_bytes(),
        &8_u16.to_le_bytes(),
        &length,
        &length,
        &position,
        value,
    ]
    .concat();
    let checksum = xxh3_64(&item).to_le_bytes();
    let start = [&[1][..], &1_u32.to_le_bytes(), &u64::from(sequence).to_le_bytes()].concat();
    [&start, &item[..], &[3], &checksum, b"FJL\x03"].concat()
}
