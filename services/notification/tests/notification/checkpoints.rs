//! Checkpoints that can be waited for.

use std::collections::HashMap;

use async_trait::async_trait;
use countersign_eventsourcing::{Checkpoint, CheckpointStore, Position, ReadError};
use tokio::sync::watch;

use crate::world::soon;

#[derive(Default)]
pub(crate) struct WatchedCheckpoints(watch::Sender<HashMap<String, Checkpoint>>);

impl WatchedCheckpoints {
    pub(crate) async fn reached(&self, follower: &str, position: Position) {
        let mut changes = self.0.subscribe();
        let has_come = |checkpoint: &Checkpoint| checkpoint.position.0 >= position.0;
        let reached = changes.wait_for(|kept| kept.get(follower).is_some_and(has_come));
        soon(reached).await.unwrap();
    }
}

#[async_trait]
impl CheckpointStore for WatchedCheckpoints {
    async fn load(&self, follower: &str) -> Result<Option<Checkpoint>, ReadError> {
        Ok(self.0.borrow().get(follower).copied())
    }

    async fn save(&self, follower: &str, checkpoint: Checkpoint) -> Result<(), ReadError> {
        self.0.send_modify(|kept| {
            kept.insert(follower.to_owned(), checkpoint);
        });
        Ok(())
    }
}
