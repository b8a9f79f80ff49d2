//! Damage is refused and named, never silently dropped.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed test says so by panicking"
)]

mod support;

use std::{
    fs,
    path::{Path, PathBuf},
};

use countersign_eventlog::embedded::{EmbeddedLog, EmbeddedOptions, OpenError, verify};
use countersign_eventsourcing::{
    EventLog as _, Filter, Position, ReadError, RecordedEvent, Revision,
    contract::{Sample, after},
};
use futures_util::{StreamExt as _, TryStreamExt as _};
use support::{everything, files, journals, open, sized, stream, trim};

/// Writes a small log that was closed in order, and returns what is in it.
async fn small_log(directory: &Path) -> Vec<RecordedEvent> {
    let log = open(directory);
    let sample = Sample::new();
    for count in 0..20 {
        log.append(&stream("a"), after(count), &sample.events(1)).await.unwrap();
        log.append(&stream("b"), after(count * 2), &sample.events(2)).await.unwrap();
    }
    let events = everything(&log).await;
    log.close().await;
    events
}

fn copy(from: &Path, to: &Path) {
    for file in files(from) {
        let target = to.join(file.strip_prefix(from).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(&file, target).unwrap();
    }
}

fn flip(file: &Path, offset: usize, bit: usize) {
    let mut bytes = fs::read(file).unwrap();
    bytes[offset] ^= 1 << bit;
    fs::write(file, bytes).unwrap();
}

/// Opens a log and reads all of it; `None` if it was refused because of damage.
async fn readable(directory: &Path, offset: usize) -> Option<Vec<RecordedEvent>> {
    match EmbeddedLog::open(directory, EmbeddedOptions::default()) {
        Ok(log) => Some(everything(&log).await),
        Err(OpenError::Corrupt(corruption)) => {
            assert!(corruption.place.contains(directory.to_str().unwrap()), "{corruption}");
            None
        }
        Err(other) => panic!("byte {offset}: expected damage to be named, got {other}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_anywhere_in_the_journal_loses_nothing_silently() {
    let whole = tempfile::tempdir().unwrap();
    let events = small_log(whole.path()).await;
    let journal = journals(whole.path()).pop().unwrap();
    let length = trim(&journal).len();
    let journal = journal.strip_prefix(whole.path()).unwrap();
    let mut refused = 0;
    let offsets: Vec<_> = (0..length).step_by(67).collect();
    for offset in &offsets {
        let damaged = tempfile::tempdir().unwrap();
        copy(whole.path(), damaged.path());
        flip(&damaged.path().join(journal), *offset, offset % 8);
        match readable(damaged.path(), *offset).await {
            Some(found) => assert_eq!(found, events, "byte {offset}"),
            None => refused += 1,
        }
    }
    // What may pass is the number of a batch and the mark that is written when the log is closed.
    assert!(refused > offsets.len() * 9 / 10, "{refused} of {} were refused", offsets.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_cut_out_of_the_journal_is_missed() {
    let whole = tempfile::tempdir().unwrap();
    small_log(whole.path()).await;
    let journal = journals(whole.path()).pop().unwrap();
    let bytes = trim(&journal);
    let ends: Vec<_> = bytes.windows(4).enumerate().filter(|(_, end)| end == b"FJL\x03").collect();
    let (from, to) = (ends[10].0 + 4, ends[11].0 + 4);
    fs::write(&journal, [&bytes[..from], &bytes[to..]].concat()).unwrap();
    assert_eq!(readable(whole.path(), from).await, None);
}

/// Writes a log that is large enough to have left the journal, and returns a table of events.
async fn log_with_tables(directory: &Path) -> PathBuf {
    let log = open(directory);
    let sample = Sample::new();
    let tables = directory.join("db/keyspaces/1/tables");
    let mut count = 0;
    let table = loop {
        let events: Vec<_> = (0..64).map(|_| sized(&sample, 4096)).collect();
        log.append(&stream("a"), after(count), &events).await.unwrap();
        count += 64;
        let written = if tables.exists() { files(&tables) } else { Vec::new() };
        if let Some(table) =
            written.into_iter().find(|table| fs::metadata(table).unwrap().len() > 0)
        {
            break table;
        }
    };
    log.close().await;
    table
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_in_a_table_is_found_when_it_is_read_and_when_it_is_verified() {
    let directory = tempfile::tempdir().unwrap();
    let table = log_with_tables(directory.path()).await;
    let length = usize::try_from(fs::metadata(&table).unwrap().len()).unwrap();
    // In the first tenth, where events of the beginning are.
    for offset in [length / 100, length / 20, length / 10] {
        flip(&table, offset, 3);
        let report = verify(directory.path(), |_, _| {}).unwrap();
        let first = report.problems.first().unwrap();
        assert!(first.place.starts_with("position "), "{first}");
        let log = open(directory.path());
        let mut items = log.follow(&Filter::default(), None).await.unwrap();
        let error = loop {
            if let Err(error) = items.next().await.unwrap() {
                break error;
            }
        };
        assert!(matches!(error, ReadError::Corrupt(_)), "{error:?}");
        assert!(items.next().await.is_none());
        let read = log.read(&stream("a"), Revision::START).await;
        let events: Result<Vec<_>, _> = match read {
            Ok(events) => events.try_collect().await,
            Err(error) => Err(error),
        };
        assert!(matches!(events, Err(ReadError::Corrupt(_))), "{events:?}");
        log.close().await;
        flip(&table, offset, 3);
    }
    assert_eq!(verify(directory.path(), |_, _| {}).unwrap().problems, []);
}

/// Does something to the database behind the log's back, in its tables: the journal would give it away.
fn meddle(directory: &Path, with: impl FnOnce(&fjall::Keyspace, &fjall::Keyspace)) {
    let db = fjall::Database::builder(directory.join("db")).open().unwrap();
    let keyspaces = ["events", "streams", "snapshots", "checkpoints", "meta"]
        .map(|name| db.keyspace(name, || panic!("no keyspace {name}")).unwrap());
    with(&keyspaces[0], &keyspaces[1]);
    for keyspace in &keyspaces {
        keyspace.rotate_memtable_and_wait().unwrap();
    }
    drop((db, keyspaces));
    fs::write(journals(directory).pop().unwrap(), []).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn verifying_a_sound_log_counts_what_is_there() {
    let directory = tempfile::tempdir().unwrap();
    let events = small_log(directory.path()).await;
    let mut steps = Vec::new();
    let report = verify(directory.path(), |done, total| steps.push((done, total))).unwrap();
    assert_eq!(report.events, events.len() as u64);
    assert_eq!(report.streams, 2);
    assert_eq!(report.last_position, Some(Position(59)));
    assert_eq!(report.problems, []);
    assert_eq!(steps.last(), Some(&(120, 120)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_event_is_named() {
    let directory = tempfile::tempdir().unwrap();
    small_log(directory.path()).await;
    meddle(directory.path(), |events, _| events.remove(7_u64.to_be_bytes()).unwrap());
    let report = verify(directory.path(), |_, _| {}).unwrap();
    assert_eq!(report.problems[0].to_string(), "the log is damaged at positions 7 to 7: missing");
    let log = open(directory.path());
    let mut items = log.follow(&Filter::default(), Some(Position(3))).await.unwrap();
    let error = loop {
        if let Err(error) = items.next().await.unwrap() {
            break error;
        }
    };
    assert_eq!(error.to_string(), "the log is damaged at position 7: missing");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_in_another_ones_place_is_found_out() {
    let directory = tempfile::tempdir().unwrap();
    small_log(directory.path()).await;
    meddle(directory.path(), |events, _| {
        let other = events.get(8_u64.to_be_bytes()).unwrap().unwrap();
        events.insert(7_u64.to_be_bytes(), other).unwrap();
    });
    let report = verify(directory.path(), |_, _| {}).unwrap();
    assert_eq!(
        report.problems[0].to_string(),
        "the log is damaged at position 7: the event of position 8 is stored here",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_disagrees_with_the_events_is_found_out() {
    let directory = tempfile::tempdir().unwrap();
    small_log(directory.path()).await;
    let key = [b"user-acme.a\0".as_slice(), &3_u64.to_be_bytes()].concat();
    meddle(directory.path(), |_, streams| {
        streams.insert(key.as_slice(), 5_u64.to_be_bytes()).unwrap();
    });
    let report = verify(directory.path(), |_, _| {}).unwrap();
    assert_eq!(report.problems.len(), 1);
    assert_eq!(report.problems[0].place, "user-acme.a revision 3");
    let log = open(directory.path());
    let error = log.read(&stream("a"), Revision(2)).await.err().unwrap();
    assert_eq!(
        error.to_string(),
        "the log is damaged at user-acme.a revision 3: another event is at position 5",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_that_is_ahead_of_the_log_is_told_so() {
    let directory = tempfile::tempdir().unwrap();
    small_log(directory.path()).await;
    let log = open(directory.path());
    assert!(log.follow(&Filter::default(), Some(Position(59))).await.is_ok());
    let error = log.follow(&Filter::default(), Some(Position(60))).await.err().unwrap();
    assert!(error.to_string().contains("restored from an older copy"), "{error}");
}

#[test]
fn a_directory_without_a_log_cannot_be_verified_and_stays_empty() {
    let directory = tempfile::tempdir().unwrap();
    assert!(matches!(verify(directory.path(), |_, _| {}), Err(OpenError::Io { .. })));
    assert_eq!(files(directory.path()), [] as [PathBuf; 0]);
}
