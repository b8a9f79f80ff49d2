//! Appends in JetStream: every envelope of a message is in its place or the message is refused.

#![no_main]

use countersign_eventlog::{
    envelope,
    jetstream::fuzzing::{encode, read, subject},
};
use countersign_eventsourcing::{NewEvent, RecordedEvent, Revision};
use countersign_fuzz::Parts;
use libfuzzer_sys::fuzz_target;

const FORMAT: u8 = 1;
const SEQUENCE: u64 = 5;

fuzz_target!(|bytes: &[u8]| {
    assert!(read("fuzz_log.a.b.c", SEQUENCE, bytes).is_none_or(|read| !read.is_empty()));
    let mut parts = Parts::new(bytes);
    let mut body = vec![FORMAT];
    body.extend_from_slice(&u32::from(parts.byte()).to_be_bytes());
    let mut first: Option<RecordedEvent> = None;
    while !parts.is_empty() {
        let covered = parts.long_part();
        let whole = [covered, &crc32c::crc32c(covered).to_be_bytes()].concat();
        body.extend_from_slice(
            &u32::try_from(whole.len()).expect("two bytes say it").to_be_bytes(),
        );
        body.extend_from_slice(&whole);
        first = first.or_else(|| envelope::decode(&whole).ok());
    }
    let Some(first) = first else { return };
    let Some(events) = read(&subject(&first.stream), SEQUENCE, &body) else { return };
    assert!(events.iter().all(|event| event.stream == first.stream));
    let revisions = (first.revision.0..).map(Revision);
    assert!(events.iter().map(|event| event.revision).eq(revisions.take(events.len())));
    let again: Vec<NewEvent> = events.iter().map(|event| event.event.clone()).collect();
    let encoded = encode(&first.stream, first.revision, &again);
    assert_eq!(read(&subject(&first.stream), SEQUENCE, &encoded), Some(events));
    assert_eq!(read("fuzz_log.x.y.z", SEQUENCE, &encoded), None);
});
