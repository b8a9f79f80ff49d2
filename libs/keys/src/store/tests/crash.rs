//! Power failures: of the writes since the last sync, any may have reached the disk, whole or in part.

use super::{super::faults::Operation, *};

/// What had been promised when so many operations were done.
struct Promise {
    after: usize,
    user: u8,
    seen: Seen,
}

/// Applies to `file` the first `length` bytes of a write.
fn apply(file: &mut Vec<u8>, at: u64, bytes: &[u8], length: usize) {
    let at = usize::try_from(at).unwrap();
    let length = length.min(bytes.len());
    if length > 0 {
        file.resize(file.len().max(at + length), 0);
        file[at..at + length].copy_from_slice(&bytes[..length]);
    }
}

#[test]
fn whatever_reaches_the_disk_before_the_power_goes_what_was_promised_holds() {
    let fixture = Fixture::new();
    let empty = fixture.file();
    let store = fixture.open();
    let mut promises = Vec::new();
    let mut keys = std::collections::HashMap::new();
    for (number, erase) in [(1, false), (2, false), (1, true), (3, true), (4, false), (2, true)] {
        if erase {
            store.erase(&fixture.tenant, user(number)).unwrap();
        } else {
            store.create(&fixture.tenant, user(number)).unwrap();
        }
        let seen = fixture.find(&store, user(number));
        if let Seen::Key(_) = seen {
            keys.insert(number, seen);
        }
        promises.push(Promise { after: store.file.faults.operations().len(), user: number, seen });
    }
    let operations = store.file.faults.operations();
    drop(store);

    let mut synced = empty;
    let mut unsynced: Option<(u64, &Vec<u8>)> = None;
    for (done, operation) in operations.iter().enumerate() {
        match operation {
            Operation::Write { at, bytes } => {
                assert!(unsynced.is_none(), "two writes share a sync: try both orders here");
                unsynced = Some((*at, bytes));
            }
            Operation::Sync => {
                if let Some((at, bytes)) = unsynced.take() {
                    apply(&mut synced, at, bytes, bytes.len());
                }
            }
            Operation::Cut => panic!("nothing failed, so nothing is cut"),
            Operation::Journal { .. } | Operation::JournalSync => {
                panic!("nothing is wrapped anew")
            }
        }
        let most = unsynced.map_or(0, |(_, bytes)| bytes.len());
        for length in 0..=most {
            let mut disk = synced.clone();
            if let Some((at, bytes)) = unsynced {
                apply(&mut disk, at, bytes, length);
            }
            fs::write(fixture.path(), &disk).unwrap();
            let store = fixture.open();
            for number in 1..=4 {
                let seen = fixture.find(&store, user(number));
                let promised = promises.iter().filter(|promise| promise.user == number);
                let kept = promised.clone().rfind(|promise| promise.after <= done + 1);
                let under_way = promised.clone().find(|promise| promise.after > done + 1);
                let kept = kept.map_or(Seen::Nothing, |promise| promise.seen);
                let allowed = [Some(kept), under_way.map(|promise| promise.seen)];
                assert!(
                    allowed.contains(&Some(seen)),
                    "user {number} after {done} operations and {length} bytes: {seen:?}"
                );
                if let Seen::Key(_) = seen {
                    assert_eq!(Some(&seen), keys.get(&number));
                }
            }
        }
    }
    assert!(promises.last().is_some_and(|last| last.after == operations.len()));
}

#[test]
fn of_keys_that_were_never_acknowledged_none_needs_to_be_whole() {
    let fixture = Fixture::new();
    let store = fixture.with_keys(&[user(1)]);
    let acknowledged = fixture.find(&store, user(1));
    drop(store);
    let before = fixture.file();
    // Three that share a sync, as three threads would write them.
    let slots = [2, 3, 4].map(|number| NewSlot {
        user: user(number),
        owner: Owner::of(&fixture.tenant),
        content: Content::Key([number; WRAPPED_LEN]),
    });
    let batch = queue::encode(1, &slots);
    // Their sectors reach the disk in any order.
    for present in 0..8_usize {
        let mut disk = before.clone();
        for (slot, bytes) in batch.chunks(SLOT_LEN).enumerate() {
            let there = present >> slot & 1 == 1;
            disk.extend(bytes.iter().map(|byte| if there { *byte } else { 0 }));
        }
        fs::write(fixture.path(), &disk).unwrap();
        let store = fixture.open();
        assert_eq!(fixture.find(&store, user(1)), acknowledged);
        store.erase(&fixture.tenant, user(4)).unwrap();
        assert_eq!(fixture.find(&fixture.open(), user(4)), Seen::Erased);
    }
}
