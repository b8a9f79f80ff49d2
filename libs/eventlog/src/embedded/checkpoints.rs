//! Checkpoints: how far followers have come.
//!
//! A follower saves one after every event, so they are kept in memory and written now and then, with the next batch or
//! soon after. After a crash a follower sees its last few events again, which it must bear anyway; it never skips one,
//! because what it saw was durable before.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use countersign_eventsourcing::{
    Checkpoint, CheckpointStore, Corruption, LogId, Position, ReadError,
};
use parking_lot::Mutex;
use uuid::Uuid;

use super::{EmbeddedLog, error::StoreError, store::number};

/// Checkpoints in memory.
#[derive(Debug, Default)]
pub(crate) struct Checkpoints(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    by_follower: HashMap<String, Checkpoint>,
    unwritten: HashSet<String>,
}

impl Checkpoints {
    /// Remembers one, and returns whether the writer must be told that something is waiting.
    fn remember(&self, follower: &str, checkpoint: Checkpoint) -> bool {
        let mut known = self.0.lock();
        match known.by_follower.get_mut(follower) {
            Some(last) => *last = checkpoint,
            None => {
                known.by_follower.insert(follower.to_owned(), checkpoint);
            }
        }
        if known.unwritten.contains(follower) {
            return false;
        }
        known.unwritten.insert(follower.to_owned()) && known.unwritten.len() == 1
    }

    /// Takes what has not been written yet, as keys and values.
    pub(crate) fn take_unwritten(&self) -> Vec<(String, Vec<u8>)> {
        let mut known = self.0.lock();
        let unwritten = std::mem::take(&mut known.unwritten);
        let entries = unwritten.into_iter().filter_map(|follower| {
            let value = encode(&follower, *known.by_follower.get(&follower)?);
            Some((follower, value))
        });
        entries.collect()
    }

    /// Takes back what could not be written.
    pub(crate) fn put_back(&self, followers: impl IntoIterator<Item = String>) {
        self.0.lock().unwritten.extend(followers);
    }
}

fn encode(follower: &str, checkpoint: Checkpoint) -> Vec<u8> {
    let mut value = checkpoint.log.0.as_bytes().to_vec();
    value.extend_from_slice(&checkpoint.position.0.to_be_bytes());
    let checksum = checksum(follower, &value);
    value.extend_from_slice(&checksum.to_be_bytes());
    value
}

fn decode(follower: &str, value: &[u8]) -> Option<Checkpoint> {
    let (covered, stored) = value.split_last_chunk::<4>()?;
    if checksum(follower, covered) != u32::from_be_bytes(*stored) {
        return None;
    }
    let (log, position) = covered.split_at_checked(16)?;
    Some(Checkpoint {
        log: LogId(Uuid::from_slice(log).ok()?),
        position: Position(number(position)?),
    })
}

fn checksum(follower: &str, covered: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(follower.as_bytes()), covered)
}

#[async_trait]
impl CheckpointStore for EmbeddedLog {
    async fn load(&self, follower: &str) -> Result<Option<Checkpoint>, ReadError> {
        let known = self.shared.checkpoints.0.lock().by_follower.get(follower).copied();
        if known.is_some() {
            return Ok(known);
        }
        let at = || format!("the checkpoint of {follower}");
        let stored = self.shared.with_store(|store| {
            store.checkpoints.get(follower).map_err(|error| StoreError::from(error).at(at))
        })?;
        // A damaged one is not "never began": a reactor would act on everything again.
        let damaged = || Corruption { place: at(), what: "it is not what was written".to_owned() };
        Ok(stored.map(|value| decode(follower, &value).ok_or_else(damaged)).transpose()?)
    }

    async fn save(&self, follower: &str, checkpoint: Checkpoint) -> Result<(), ReadError> {
        if self.shared.checkpoints.remember(follower, checkpoint) {
            self.wake_writer();
        }
        Ok(())
    }
}
