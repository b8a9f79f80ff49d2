//! Reads that are under way, shared by those who asked before they began.

use std::{collections::HashMap, sync::Arc};

use futures_util::{
    FutureExt as _,
    future::{BoxFuture, Shared, WeakShared},
};
use parking_lot::Mutex;

use crate::{StreamId, known::Ticket};

type Streams<T> = Arc<Mutex<HashMap<StreamId, Flight<T>>>>;

/// Reads that are under way, one a stream.
pub(crate) struct Flights<T: Clone> {
    streams: Streams<T>,
}

struct Flight<T: Clone> {
    since: Ticket,
    waiting: usize,
    outcome: WeakShared<BoxFuture<'static, T>>,
}

impl<T: Clone> Default for Flights<T> {
    fn default() -> Self {
        Self { streams: Arc::default() }
    }
}

impl<T: Clone + Send + 'static> Flights<T> {
    /// Returns the outcome of a read of `stream` that began after `arrived`: one that is under way, or one that `begin`
    /// makes for all who wait for the present one to end. Whoever waits drives it, so that it ends though the one who
    /// began it went away.
    pub(crate) async fn join(
        &self,
        stream: &StreamId,
        arrived: Ticket,
        begin: impl Fn() -> (Ticket, BoxFuture<'static, T>),
    ) -> T {
        loop {
            let (since, outcome) = self.sit_down(stream, &begin);
            let seat = Seat { streams: &self.streams, stream, since };
            let outcome = outcome.await;
            seat.landed();
            if since > arrived {
                return outcome;
            }
        }
    }

    /// Returns the read that is under way and when it began, or begins one.
    fn sit_down(
        &self,
        stream: &StreamId,
        begin: impl Fn() -> (Ticket, BoxFuture<'static, T>),
    ) -> (Ticket, Shared<BoxFuture<'static, T>>) {
        let mut streams = self.streams.lock();
        if let Some(flight) = streams.get_mut(stream)
            && let Some(outcome) = flight.outcome.upgrade()
        {
            flight.waiting += 1;
            return (flight.since, outcome);
        }
        let (since, read) = begin();
        let outcome = read.shared();
        if let Some(weak) = outcome.downgrade() {
            streams.insert(stream.clone(), Flight { since, waiting: 1, outcome: weak });
        }
        (since, outcome)
    }
}

/// A place among those who wait.
struct Seat<'a, T: Clone> {
    streams: &'a Streams<T>,
    stream: &'a StreamId,
    since: Ticket,
}

impl<T: Clone> Seat<'_, T> {
    /// Ends a read that has its outcome, for whoever asks from now on.
    fn landed(&self) {
        let mut streams = self.streams.lock();
        if streams.get(self.stream).is_some_and(|flight| flight.since == self.since) {
            streams.remove(self.stream);
        }
    }
}

impl<T: Clone> Drop for Seat<'_, T> {
    fn drop(&mut self) {
        let mut streams = self.streams.lock();
        let Some(flight) = streams.get_mut(self.stream) else { return };
        if flight.since != self.since {
            return;
        }
        flight.waiting -= 1;
        if flight.waiting == 0 {
            streams.remove(self.stream);
        }
    }
}
