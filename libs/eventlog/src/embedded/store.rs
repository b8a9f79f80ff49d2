//! What lies where in fjall.
//!
//! | Keyspace | Key | Value |
//! | --- | --- | --- |
//! | events | position | envelope |
//! | streams | stream name, zero byte, revision | position |
//! | snapshots | stream name | see `snapshots` |
//! | checkpoints | follower's name | see `checkpoints` |
//! | meta | `log` | format version, log id |
//!
//! Numbers in keys and values are 8 bytes, big-endian, so that they sort.

use std::{
    fs, io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use countersign_eventsourcing::{Corruption, LogId, Position, Revision, StreamId};
use fjall::{
    Database, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch, PersistMode, Slice,
    config::{BlockSizePolicy, FilterPolicy},
};
use uuid::Uuid;

use super::{EmbeddedOptions, OpenError, error::StoreError, journal};

/// Version of this layout.
const FORMAT: u8 = 1;
const DATABASE: &str = "db";
const UNFINISHED: &str = "db.unfinished";
/// Number that fjall gives to the keyspace which is made first.
const EVENTS_ID: u64 = 1;
const LOG_KEY: &str = "log";
const CLOSED_KEY: &str = "closed";
const MIB: u64 = 1024 * 1024;

/// The database, open.
pub(crate) struct Store {
    db: Database,
    pub(crate) events: Keyspace,
    pub(crate) streams: Keyspace,
    pub(crate) snapshots: Keyspace,
    pub(crate) checkpoints: Keyspace,
    meta: Keyspace,
    pub(crate) id: LogId,
    /// Place of the event that is appended next.
    pub(crate) next: u64,
}

/// A stream's last event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StreamHead {
    pub(crate) revision: Revision,
    pub(crate) position: Position,
}

impl Store {
    /// Opens the database in `directory`, which must exist and be locked. With `discard_from`, events from there on are
    /// thrown away: they were never acknowledged.
    pub(crate) fn open(
        directory: &Path,
        options: &EmbeddedOptions,
        discard_from: Option<u64>,
    ) -> Result<Self, OpenError> {
        let path = directory.join(DATABASE);
        if !path.try_exists().map_err(|source| io_error(&path, source))? {
            create(directory, &path, options)?;
        }
        let surveyed = journal::survey(&path, EVENTS_ID, discard_from)?;
        let store = Self::recover(&path, options)?;
        store.check_against(&path, surveyed)?;
        Ok(store)
    }

    /// Returns whether there is a database in `directory`.
    pub(crate) fn exists(directory: &Path) -> io::Result<bool> {
        directory.join(DATABASE).try_exists()
    }

    /// Throws events from `discard_from` on away, without opening the database.
    pub(crate) fn discard(directory: &Path, discard_from: u64) -> Result<(), OpenError> {
        journal::survey(&directory.join(DATABASE), EVENTS_ID, Some(discard_from)).map(|_| ())
    }

    fn recover(path: &Path, options: &EmbeddedOptions) -> Result<Self, OpenError> {
        let store = guarded(path, || Self::assemble(path, options))?;
        if store.events.id() != EVENTS_ID {
            return Err(damaged(path, "the keyspace of the events is not the first one").into());
        }
        Ok(store)
    }

    fn assemble(path: &Path, options: &EmbeddedOptions) -> Result<Self, OpenError> {
        let failed = |error: fjall::Error| open_error(path, error.into());
        let db = Database::builder(path)
            .cache_size(options.cache_bytes)
            .max_journaling_size(64 * MIB)
            .worker_threads(1)
            .open()
            .map_err(failed)?;
        // Events first: see EVENTS_ID.
        let events = db.keyspace("events", event_keyspace).map_err(failed)?;
        let streams = db.keyspace("streams", index_keyspace).map_err(failed)?;
        let [snapshots, checkpoints, meta] = ["snapshots", "checkpoints", "meta"]
            .map(|name| db.keyspace(name, || small_keyspace(2 * MIB)));
        let (snapshots, checkpoints, meta) =
            (snapshots.map_err(failed)?, checkpoints.map_err(failed)?, meta.map_err(failed)?);
        let named = meta.get(LOG_KEY).map_err(failed)?;
        let id = match named.as_deref().and_then(<[u8]>::split_first) {
            Some((&FORMAT, uuid)) => {
                LogId(Uuid::from_slice(uuid).map_err(|_| damaged(path, "the log's id is not one"))?)
            }
            Some((&found, _)) => {
                return Err(OpenError::Format { path: path.to_owned(), found, known: FORMAT });
            }
            None => {
                let id = crate::new_log_id();
                meta.insert(LOG_KEY, [&[FORMAT][..], id.0.as_bytes()].concat()).map_err(failed)?;
                db.persist(PersistMode::SyncAll).map_err(failed)?;
                id
            }
        };
        let next = match events.last_key_value() {
            None => 0,
            Some(last) => {
                let key = last.key().map_err(failed)?;
                let last = number(&key).ok_or_else(|| damaged(path, "a position is not one"))?;
                last + 1
            }
        };
        Ok(Self { db, events, streams, snapshots, checkpoints, meta, id, next })
    }

    /// Checks that what the journals held has arrived, and continues what lies in the tables.
    fn check_against(&self, path: &Path, surveyed: journal::Surveyed) -> Result<(), OpenError> {
        let Some((first, last)) = surveyed.events else { return Ok(()) };
        if self.next != last + 1 {
            let what = format!("the journal ends at position {last}, the log before {}", self.next);
            return Err(damaged(path, &what).into());
        }
        if let Some(before) = first.checked_sub(1) {
            let found = self
                .events
                .contains_key(before.to_be_bytes())
                .map_err(|error| open_error(path, error.into()))?;
            if !found {
                let what =
                    format!("the journal begins at {first}, but position {before} is missing");
                return Err(damaged(path, &what).into());
            }
        }
        Ok(())
    }

    /// Begins a batch that is durable when committed.
    pub(crate) fn durable_batch(&self, items: usize) -> OwnedWriteBatch {
        OwnedWriteBatch::with_capacity(self.db.clone(), items)
            .durability(Some(PersistMode::SyncData))
    }

    /// Begins a batch that survives the process, but perhaps not the machine.
    pub(crate) fn buffered_batch(&self) -> OwnedWriteBatch {
        OwnedWriteBatch::with_capacity(self.db.clone(), 8).durability(Some(PersistMode::Buffer))
    }

    /// Writes something behind the last event, so that damage to that event cannot pass for a torn tail.
    pub(crate) fn mark_closed(&self) -> Result<(), StoreError> {
        self.meta.insert(CLOSED_KEY, self.next.to_be_bytes())?;
        Ok(self.db.persist(PersistMode::SyncAll)?)
    }

    /// Looks up a stream's last event.
    pub(crate) fn head_of(&self, stream: &StreamId) -> Result<Option<StreamHead>, StoreError> {
        let (from, through) = (index_key(stream, Revision::START), index_key(stream, LAST));
        let Some(last) = self.streams.range(from..=through).next_back() else { return Ok(None) };
        let (key, value) = last.into_inner()?;
        let entry = index_entry(&key, &value)?;
        Ok(Some(StreamHead { revision: entry.revision, position: entry.position }))
    }
}

/// The greatest revision there can be.
pub(crate) const LAST: Revision = Revision(u64::MAX);

/// An entry of the index by stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IndexEntry<'a> {
    pub(crate) stream: &'a str,
    pub(crate) revision: Revision,
    pub(crate) position: Position,
}

/// Takes an entry of the index apart.
pub(crate) fn index_entry<'a>(key: &'a [u8], value: &[u8]) -> Result<IndexEntry<'a>, StoreError> {
    let parts = || {
        let (name, revision) = key.split_last_chunk::<8>()?;
        let stream = std::str::from_utf8(name.strip_suffix(&[0])?).ok()?;
        Some(IndexEntry {
            stream,
            revision: Revision(u64::from_be_bytes(*revision)),
            position: Position(number(value)?),
        })
    };
    parts().ok_or_else(|| StoreError::Damaged("an entry of the stream index is not one".to_owned()))
}

/// Returns the key of an event in the index by stream.
pub(crate) fn index_key(stream: &StreamId, revision: Revision) -> Vec<u8> {
    let mut key = Vec::with_capacity(stream.as_str().len() + 9);
    key.extend_from_slice(stream.as_str().as_bytes());
    key.push(0);
    key.extend_from_slice(&revision.0.to_be_bytes());
    key
}

/// Reads a number of 8 bytes.
pub(crate) fn number(bytes: &[u8]) -> Option<u64> {
    bytes.try_into().map(u64::from_be_bytes).ok()
}

/// Says what the operating system refused, and where.
pub(crate) fn io_error(path: &Path, source: io::Error) -> OpenError {
    OpenError::Io { path: path.to_owned(), source }
}

fn damaged(path: &Path, what: &str) -> Corruption {
    Corruption { place: path.display().to_string(), what: what.to_owned() }
}

fn open_error(path: &Path, error: StoreError) -> OpenError {
    match error {
        StoreError::Io(what) => io_error(path, io::Error::other(what)),
        StoreError::Damaged(what) => damaged(path, &what).into(),
    }
}

/// Makes the database beside its final place and moves it there whole, so that a crash leaves either all or nothing.
fn create(directory: &Path, path: &Path, options: &EmbeddedOptions) -> Result<(), OpenError> {
    let unfinished = directory.join(UNFINISHED);
    match fs::remove_dir_all(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(io_error(&unfinished, error));
        }
        Ok(()) | Err(_) => {}
    }
    drop(Store::recover(&unfinished, options)?);
    fs::rename(&unfinished, path).map_err(|source| io_error(path, source))?;
    let synced = fs::File::open(directory).and_then(|directory| directory.sync_all());
    synced.map_err(|source| io_error(directory, source))
}

/// Turns a panic into damage: fjall asserts about what it finds in its files.
fn guarded<T>(path: &Path, open: impl FnOnce() -> Result<T, OpenError>) -> Result<T, OpenError> {
    catch_unwind(AssertUnwindSafe(open)).unwrap_or_else(|panic| {
        let what = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("the storage engine gave up");
        Err(damaged(path, what).into())
    })
}

fn event_keyspace() -> KeyspaceCreateOptions {
    small_keyspace(16 * MIB)
        .data_block_size_policy(BlockSizePolicy::all(8 * 1024))
        .expect_point_read_hits(true)
}

/// The index is read by ranges, for which filters are of no use.
fn index_keyspace() -> KeyspaceCreateOptions {
    small_keyspace(8 * MIB).filter_policy(FilterPolicy::disabled())
}

fn small_keyspace(memtable_bytes: u64) -> KeyspaceCreateOptions {
    KeyspaceCreateOptions::default().max_memtable_size(memtable_bytes)
}

/// Returns the path of the database in `directory`.
pub(crate) fn database_path(directory: &Path) -> PathBuf {
    directory.join(DATABASE)
}

/// A stored value.
pub(crate) type Value = Slice;
