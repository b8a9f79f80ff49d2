//! One queue per stream, so that racing commands take turns instead of retrying each other to death.

use std::{collections::HashMap, sync::Arc};

use futures_util::lock::{Mutex, OwnedMutexGuard};

use crate::StreamId;

type Gates<T> = Arc<parking_lot::Mutex<HashMap<StreamId, Arc<Mutex<T>>>>>;

/// Gives out turns by stream. Streams do not wait for each other. Whoever has a turn may leave a `T` for those who wait.
#[derive(Debug, Default)]
pub(crate) struct TurnQueue<T> {
    streams: Gates<T>,
}

impl<T: Default> TurnQueue<T> {
    /// Waits for a turn at `stream`.
    pub(crate) async fn enter(&self, stream: &StreamId) -> Turn<T> {
        let gate = Arc::clone(self.streams.lock().entry(stream.clone()).or_default());
        let mut turn =
            Turn { stream: stream.clone(), streams: Arc::clone(&self.streams), held: None };
        turn.held = Some(gate.lock_owned().await);
        turn
    }
}

/// A turn; ends when dropped. Dropped while still waiting, it leaves the queue.
#[derive(Debug)]
pub(crate) struct Turn<T> {
    stream: StreamId,
    streams: Gates<T>,
    held: Option<OwnedMutexGuard<T>>,
}

impl<T> Turn<Option<T>> {
    /// Returns what an earlier turn left, if others have waited ever since.
    pub(crate) fn left(&self) -> Option<&T> {
        self.held.as_deref().and_then(Option::as_ref)
    }

    /// Leaves something for those who wait.
    pub(crate) fn leave(&mut self, what: Option<T>) {
        if let Some(held) = &mut self.held {
            **held = what;
        }
    }
}

impl<T> Drop for Turn<T> {
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
        let queue = TurnQueue::<Option<u8>>::default();
        let first = block_on(queue.enter(&stream("a")));
        assert!(queue.enter(&stream("a")).now_or_never().is_none());
        assert!(queue.enter(&stream("b")).now_or_never().is_some());
        drop(first);
        assert!(queue.enter(&stream("a")).now_or_never().is_some());
    }

    #[test]
    fn what_a_turn_leaves_is_for_those_who_wait_and_gone_with_the_last() {
        let queue = TurnQueue::<Option<u8>>::default();
        let mut first = block_on(queue.enter(&stream("a")));
        let name = stream("a");
        let mut waiting = Box::pin(queue.enter(&name));
        assert!(waiting.as_mut().now_or_never().is_none());
        first.leave(Some(7));
        drop(first);
        let second = waiting.now_or_never().unwrap();
        assert_eq!(second.left(), Some(&7));
        drop(second);
        assert_eq!(block_on(queue.enter(&name)).left(), None);
    }

    #[test]
    fn nothing_is_kept_for_a_stream_that_nobody_waits_for() {
        let queue = TurnQueue::<Option<u8>>::default();
        let turn = block_on(queue.enter(&stream("a")));
        assert!(queue.enter(&stream("a")).now_or_never().is_none());
        drop(turn);
        assert!(queue.streams.lock().is_empty());
    }
}
