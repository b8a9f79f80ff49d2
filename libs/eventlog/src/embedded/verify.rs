//! Reading everything again: is what is stored what was written, and is all of it there?

use std::path::Path;

use countersign_eventsourcing::{Corruption, Position, StreamId};
use fjall::Iter;

use super::{
    EmbeddedOptions, OpenError,
    error::StoreError,
    lock::DirectoryLock,
    read::envelope_at,
    store::{Store, database_path, index_entry, index_key, io_error, number},
};

/// After so many problems the rest is not described.
const MAX_PROBLEMS: usize = 1_000;
/// How many events are read between two reports of progress.
const PROGRESS_INTERVAL: u64 = 4_096;

/// What was found in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyReport {
    /// Events whose checksum is right.
    pub events: u64,
    /// Streams.
    pub streams: u64,
    /// Place of the last event.
    pub last_position: Option<Position>,
    /// What is wrong, at most a thousand places. Empty for a sound log.
    pub problems: Vec<Corruption>,
}

/// Reads the whole log in `directory` again: checksums, positions and revisions without gaps, and that the index by
/// stream has exactly the events. Tells `progress` how many of how many steps are done. Takes the directory's lock, so
/// that no server may run meanwhile.
///
/// # Errors
/// Says that there is no log, that a process holds it, or that it is too damaged to be opened.
pub fn verify(
    directory: &Path,
    mut progress: impl FnMut(u64, u64),
) -> Result<VerifyReport, OpenError> {
    if !Store::exists(directory).map_err(|source| io_error(directory, source))? {
        return Err(io_error(&database_path(directory), std::io::ErrorKind::NotFound.into()));
    }
    let _lock = DirectoryLock::take(directory)?;
    let store = Store::open(directory, &EmbeddedOptions::default(), None)?;
    let mut check = Check {
        total: store.next * 2,
        done: 0,
        progress: &mut progress,
        report: VerifyReport {
            events: 0,
            streams: 0,
            last_position: store.next.checked_sub(1).map(Position),
            problems: Vec::new(),
        },
    };
    let events = check.events(&store);
    let index = check.index(&store);
    if events != index && check.report.problems.is_empty() {
        check.entries(&store);
    }
    (check.progress)(check.total, check.total);
    Ok(check.report)
}

struct Check<'a> {
    total: u64,
    done: u64,
    progress: &'a mut dyn FnMut(u64, u64),
    report: VerifyReport,
}

/// Tells two sets of (stream, revision, position) apart, whatever their order.
#[derive(Debug, Default, PartialEq, Eq)]
struct Fingerprint {
    count: u64,
    sum: u128,
}

impl Fingerprint {
    fn add(&mut self, stream: &str, revision: u64, position: u64) {
        let mut hash = xxhash_rust::xxh3::Xxh3::new();
        hash.update(stream.as_bytes());
        hash.update(&[0]);
        hash.update(&revision.to_be_bytes());
        hash.update(&position.to_be_bytes());
        self.count += 1;
        self.sum = self.sum.wrapping_add(hash.digest128());
    }
}

impl Check<'_> {
    fn step(&mut self) {
        self.done += 1;
        if self.done.is_multiple_of(PROGRESS_INTERVAL) {
            (self.progress)(self.done.min(self.total), self.total);
        }
    }

    fn problem(&mut self, place: String, what: impl Into<String>) {
        if self.report.problems.len() < MAX_PROBLEMS {
            self.report.problems.push(Corruption { place, what: what.into() });
        }
    }

    /// Takes an entry out of an iterator; a block that cannot be read ends the pass.
    fn entry(
        &mut self,
        entries: &mut Iter,
        place: impl FnOnce() -> String,
    ) -> Option<(fjall::UserKey, fjall::UserValue)> {
        match entries.next()?.into_inner() {
            Ok(entry) => Some(entry),
            Err(error) => {
                let (StoreError::Io(what) | StoreError::Damaged(what)) = error.into();
                self.problem(place(), format!("cannot be read from here on: {what}"));
                None
            }
        }
    }

    /// Reads events by position.
    fn events(&mut self, store: &Store) -> Fingerprint {
        let mut fingerprint = Fingerprint::default();
        let mut expected = 0;
        let mut entries = store.events.iter();
        while let Some((key, stored)) = self.entry(&mut entries, || format!("position {expected}"))
        {
            self.step();
            let Some(position) = number(&key) else {
                self.problem(format!("after position {expected}"), "a position is not one");
                continue;
            };
            if position != expected {
                let missing = format!("positions {expected} to {}", position - 1);
                self.problem(missing, "missing");
            }
            expected = position + 1;
            match envelope_at(&stored, Position(position)) {
                Ok(envelope) => {
                    self.report.events += 1;
                    fingerprint.add(envelope.stream(), envelope.revision(), position);
                }
                Err(what) => self.problem(format!("position {position}"), what),
            }
        }
        fingerprint
    }

    /// Reads the index by stream and revision.
    fn index(&mut self, store: &Store) -> Fingerprint {
        let mut fingerprint = Fingerprint::default();
        let (mut stream, mut expected) = (String::new(), 0);
        let mut entries = store.streams.iter();
        while let Some((key, value)) =
            self.entry(&mut entries, || format!("the index after {stream} revision {expected}"))
        {
            self.step();
            let Ok(entry) = index_entry(&key, &value) else {
                self.problem(format!("the index after {stream}"), "an entry is not one");
                continue;
            };
            if entry.stream != stream {
                entry.stream.clone_into(&mut stream);
                expected = 0;
                self.report.streams += 1;
            }
            if entry.revision.0 != expected {
                self.problem(format!("{stream} revision {expected}"), "missing");
            }
            expected = entry.revision.0.wrapping_add(1);
            fingerprint.add(entry.stream, entry.revision.0, entry.position.0);
        }
        fingerprint
    }

    /// Finds the events that the index does not have in their places.
    fn entries(&mut self, store: &Store) {
        let mut next = 0;
        let mut entries = store.events.iter();
        while let Some((key, stored)) = self.entry(&mut entries, || format!("position {next}")) {
            let Some(position) = number(&key) else { continue };
            next = position + 1;
            let Ok(envelope) = envelope_at(&stored, Position(position)) else { continue };
            let found = envelope.stream().parse::<StreamId>().ok().and_then(|stream| {
                let revision = countersign_eventsourcing::Revision(envelope.revision());
                store.streams.get(index_key(&stream, revision)).ok().flatten()
            });
            if found.as_deref() != Some(&position.to_be_bytes()[..]) {
                let place = format!("{} revision {}", envelope.stream(), envelope.revision());
                self.problem(place, format!("the index does not lead to position {position}"));
            }
        }
        if self.report.problems.is_empty() {
            self.problem("the index by stream".to_owned(), "it has entries without events");
        }
    }
}
