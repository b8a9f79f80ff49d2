//! The folds of one decider's streams, caught up with the log before they are shown.

use std::sync::Arc;

use futures_util::{FutureExt as _, TryStreamExt as _};

use crate::{
    EventCodec, EventLog, Folded, ReadError, Request, Revision, SnapshotStore, StreamId,
    flights::Flights,
    folded::fold_recorded,
    known::{Known, Ticket},
};

/// How many events a stream grows between two snapshots.
const SNAPSHOT_INTERVAL: u64 = 200;

type Read<D> = Result<Arc<Folded<<D as crate::Decider>::State>>, ReadError>;

/// How new a fold must be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fresh {
    /// What the log had then, or later.
    AsOf(Ticket),
    /// With at least so many events: whoever asks has seen them.
    Seen(u64),
}

/// The folds of one decider's streams.
pub(crate) struct Folds<D: EventCodec> {
    log: Arc<dyn EventLog>,
    snapshots: Arc<dyn SnapshotStore>,
    known: Known<D::State>,
    reads: Flights<Read<D>>,
}

impl<D: EventCodec> Folds<D> {
    pub(crate) fn new(
        log: Arc<dyn EventLog>,
        snapshots: Arc<dyn SnapshotStore>,
        cached_streams: usize,
    ) -> Self {
        Self { log, snapshots, known: Known::new(cached_streams), reads: Flights::default() }
    }

    pub(crate) const fn log(&self) -> &Arc<dyn EventLog> {
        &self.log
    }

    /// Names the present moment.
    pub(crate) fn ticket(&self) -> Ticket {
        self.known.ticket()
    }

    /// Returns the fold of `stream`, as new as it must be.
    pub(crate) async fn load_fresh(self: &Arc<Self>, stream: &StreamId, fresh: Fresh) -> Read<D> {
        match fresh {
            Fresh::AsOf(arrived) => self.load_as_of(stream, arrived).await,
            Fresh::Seen(seen) => match self.known.get(stream) {
                Some(folded) if folded.next_revision >= seen => Ok(folded),
                Some(_) | None => self.load_as_of(stream, self.ticket()).await,
            },
        }
    }

    /// Returns the fold of `stream` as the log had it at `arrived` or later.
    async fn load_as_of(self: &Arc<Self>, stream: &StreamId, arrived: Ticket) -> Read<D> {
        if let Some((folded, as_of)) = self.known.get_dated(stream)
            && (as_of > arrived || self.log.known_length(stream) == Some(folded.next_revision))
        {
            return Ok(folded);
        }
        let begin = || {
            let since = self.ticket();
            let (folds, stream) = (Arc::clone(self), stream.clone());
            (since, async move { folds.read(&stream, since).await }.boxed())
        };
        self.reads.join(stream, arrived, begin).await
    }

    async fn read(&self, stream: &StreamId, since: Ticket) -> Read<D> {
        let known = match self.known.get(stream) {
            Some(folded) => folded,
            None => Arc::new(self.load_snapshot(stream).await),
        };
        let started_at = known.next_revision;
        let mut newer = self.log.read(stream, Revision(started_at)).await?;
        let Some(first) = newer.try_next().await? else {
            if started_at > 0 {
                self.known.keep(stream, &known, since);
            }
            return Ok(known);
        };
        let mut folded = Arc::unwrap_or_clone(known);
        fold_recorded::<D>(&mut folded, &first)?;
        while let Some(recorded) = newer.try_next().await? {
            fold_recorded::<D>(&mut folded, &recorded)?;
        }
        let folded = Arc::new(folded);
        self.known.keep(stream, &folded, since);
        if folded.next_revision / SNAPSHOT_INTERVAL > started_at / SNAPSHOT_INTERVAL {
            self.save_snapshot(stream, &folded).await;
        }
        Ok(folded)
    }

    /// Folds events that were just appended, without reading them back.
    pub(crate) async fn advance(
        &self,
        stream: &StreamId,
        folded: Arc<Folded<D::State>>,
        request: &Request,
        events: &[D::Event],
        since: Ticket,
    ) -> Arc<Folded<D::State>> {
        let started_at = folded.next_revision;
        // Taken out first, so that the fold is usually ours alone and need not be copied.
        self.known.forget(stream);
        let mut next = Arc::unwrap_or_clone(folded);
        for event in events {
            let state = std::mem::take(&mut next.state);
            next.state = D::evolve(state, event);
            let digest = request.metadata.request_digest;
            next.note(request.command_id, digest, next.next_revision);
            next.next_revision += 1;
        }
        let next = Arc::new(next);
        self.known.keep(stream, &next, since);
        if next.next_revision / SNAPSHOT_INTERVAL > started_at / SNAPSHOT_INTERVAL {
            self.save_snapshot(stream, &next).await;
        }
        next
    }

    async fn load_snapshot(&self, stream: &StreamId) -> Folded<D::State> {
        let bytes = self.snapshots.load(stream, D::STATE_VERSION).await;
        bytes.and_then(|bytes| postcard::from_bytes(&bytes).ok()).unwrap_or_default()
    }

    async fn save_snapshot(&self, stream: &StreamId, folded: &Folded<D::State>) {
        // A state that cannot be serialised is only never snapshotted; the scenario tests would show it.
        if let Ok(bytes) = postcard::to_allocvec(folded) {
            self.snapshots.save(stream, D::STATE_VERSION, bytes).await;
        }
    }
}
