//! Snapshots: a cache, so that anything wrong with one only means that there is none.
//!
//! A value is the version of the state (4 bytes, big-endian), the state, and the CRC32C of the stream's name and both.

use async_trait::async_trait;
use countersign_eventsourcing::{SnapshotStore, StreamId};

use super::EmbeddedLog;

#[async_trait]
impl SnapshotStore for EmbeddedLog {
    async fn load(&self, stream: &StreamId, state_version: u32) -> Option<Vec<u8>> {
        let stored = self
            .shared
            .with_store(|store| Ok(store.snapshots.get(stream.as_str())))
            .ok()?
            .inspect_err(|error| tracing::warn!(%stream, %error, "cannot read a snapshot"))
            .ok()??;
        let (covered, checked) = stored.split_last_chunk::<4>()?;
        let (version, state) = covered.split_first_chunk::<4>()?;
        if checksum(stream, covered) != u32::from_be_bytes(*checked) {
            tracing::warn!(%stream, "passing over a damaged snapshot");
            return None;
        }
        (u32::from_be_bytes(*version) == state_version).then(|| state.to_vec())
    }

    async fn save(&self, stream: &StreamId, state_version: u32, bytes: Vec<u8>) {
        let mut value = Vec::with_capacity(bytes.len() + 8);
        value.extend_from_slice(&state_version.to_be_bytes());
        value.extend_from_slice(&bytes);
        let checked = checksum(stream, &value);
        value.extend_from_slice(&checked.to_be_bytes());
        self.write_snapshot(stream, value);
    }
}

fn checksum(stream: &StreamId, covered: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(stream.as_str().as_bytes()), covered)
}
