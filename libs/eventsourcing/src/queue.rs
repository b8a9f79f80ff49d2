//! One queue per stream, so that racing commands take turns instead of retrying each other to death.

use std::{collections::HashMap, sync::Arc};

use futures_util::lock::{Mutex, OwnedMutexGuard};

use crate::StreamId;

/// Gives out turns by stream. Streams do not wait for each other.
#[derive(Debug, Default)]
pub(crate) struct TurnQueue {
    streams: Arc<parking_lot::Mutex<HashMap<StreamId, Arc<Mutex<()>>>>>,
}

impl TurnQueue {
    /// Waits for a turn at `stream`.
    pub(crate) async fn enter(&self, stream: &StreamId) -> Turn {
        let gate = Arc::clone(self.streams.lock().entry(stream.clone()).or_default());
        let mut turn =
            Turn { stream: stream.clone(), streams: Arc::clone(&self.streams), held: None };
        turn.held = Some(gate.lock_owned().await);
        turn
    }
}

/// A turn; ends when dropped. Dropped while still waiting, it leaves the queue.
#[derive(Debug)]
pub(crate) struct Turn {
    stream: StreamId,
    streams: Arc<parking_lot::Mutex<HashMap<StreamId, Arc<Mutex<()>>>>>,
    held: Option<OwnedMutexGuard<()>>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.held = None;
        let mut streams = self.streams.lock();
        // Whoever still waits holds a second count: new ones are made only under this lock.
        if streams.get(&self.stream).is_some_and(|gate| Arc::strong_count(gate) == 1) {
            streams.remove(&self.stream);
        }
    }
}

#[cfg(test)]
mod tests {
    use countersign_core::TenantId;
    use futures_executor::block_on;
    use futures_util::FutureExt as _;

    use super::*;

    fn stream(key: &str) -> StreamId {
        StreamId::new("test", &TenantId::parse("acme").unwrap(), key).unwrap()
    }

    #[test]
    fn a_second_turn_waits_for_the_first_and_other_streams_do_not() {
        let queue = TurnQueue::default();
        let first = block_on(queue.enter(&stream("a")));
        assert!(queue.enter(&stream("a")).now_or_never().is_none());
        assert!(queue.enter(&stream("b")).now_or_never().is_some());
        drop(first);
        assert!(queue.enter(&stream("a")).now_or_never().is_some());
    }

    #[test]
    fn nothing_is_kept_for_a_stream_that_nobody_waits_for() {
        let queue = TurnQueue::default();
        let turn = block_on(queue.enter(&stream("a")));
        assert!(queue.enter(&stream("a")).now_or_never().is_none());
        drop(turn);
        assert!(queue.streams.lock().is_empty());
    }
}
