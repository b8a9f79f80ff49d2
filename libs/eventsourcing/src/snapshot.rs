//! Snapshots: a cache of folds, droppable at any time.

use async_trait::async_trait;

use crate::StreamId;

/// Keeps folds so that long streams need not be read whole. Losing all of them changes nothing but time.
#[async_trait]
pub trait SnapshotStore: Send + Sync {
    /// Returns the newest snapshot of `stream` made by `state_version`, if there is one.
    async fn load(&self, stream: &StreamId, state_version: u32) -> Option<Vec<u8>>;

    /// Keeps `bytes` as the snapshot of `stream`, in place of an older one. A failure is only a lost cache entry, so it
    /// is for the store to log.
    async fn save(&self, stream: &StreamId, state_version: u32, bytes: Vec<u8>);
}

/// Keeps none.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSnapshots;

#[async_trait]
impl SnapshotStore for NoSnapshots {
    async fn load(&self, _: &StreamId, _: u32) -> Option<Vec<u8>> {
        None
    }

    async fn save(&self, _: &StreamId, _: u32, _: Vec<u8>) {}
}
