//! Folding a stream up to a time.

use countersign_core::Timestamp;
use countersign_eventsourcing::{Corruption, EventCodec, EventLog, ReadError, Revision, StreamId};
use futures_util::TryStreamExt as _;

/// A fold, and how many events went into it.
#[derive(Debug, Default)]
pub(crate) struct Fold<S> {
    pub(crate) state: S,
    pub(crate) events: u64,
}

/// Folds the events of `stream` that were recorded at or before `as_of`.
///
/// Clocks jump, so the times in a stream need not ascend: every event is asked for its own time, as a replay does, and
/// one that was recorded late does not hide those after it. What was recorded later is not even decoded: a past state
/// can be told although a newer release, or damage, came after it.
///
/// # Errors
/// Says that the log cannot be read, or holds what this release does not know.
pub(crate) async fn fold_until<D: EventCodec>(
    log: &dyn EventLog,
    stream: &StreamId,
    as_of: Timestamp,
) -> Result<Fold<D::State>, ReadError> {
    let mut recorded = log.read(stream, Revision::START).await?;
    let mut fold = Fold::<D::State>::default();
    let mut expected = Revision::START;
    while let Some(next) = recorded.try_next().await? {
        let damaged = |what| Corruption { place: format!("{stream} revision {expected}"), what };
        if next.revision != expected {
            let what = format!("missing: the next one found is revision {}", next.revision);
            return Err(damaged(what).into());
        }
        let event = next.event;
        if event.metadata.recorded_at <= as_of {
            let event = D::decode(&event.event_type, event.schema_version, &event.payload)
                .map_err(|error| damaged(error.to_string()))?;
            fold.state = D::evolve(fold.state, &event);
            fold.events += 1;
        }
        expected = expected.next();
    }
    Ok(fold)
}
