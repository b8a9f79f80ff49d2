//! Appending to the destination until it has said yes.

use std::time::Duration;

use countersign_eventsourcing::{
    AppendError, EventLog, ExpectedRevision, NewEvent, RecordedEvent, Revision,
};

use super::{CopyError, Side, patience::Patience};

/// Appends `group`, events of one stream one behind the other, at the places that they have. An append whose outcome is
/// not known is repeated, which does nothing if it was stored.
pub(super) async fn append(
    destination: &dyn EventLog,
    group: &[RecordedEvent],
    within: Duration,
) -> Result<(), CopyError> {
    let mut patience = Patience::new(within);
    let mut parts = vec![group];
    while let Some(part) = parts.pop() {
        let Some(first) = part.first() else { continue };
        let events: Vec<NewEvent> = part.iter().map(|recorded| recorded.event.clone()).collect();
        let expected = match first.revision.0.checked_sub(1) {
            None => ExpectedRevision::NoStream,
            Some(last) => ExpectedRevision::Exact(Revision(last)),
        };
        match destination.append(&first.stream, expected, &events).await {
            Ok(_) => patience.answered(),
            Err(AppendError::Unavailable(source) | AppendError::Unknown(source)) => {
                patience.pause(Side::Destination, source).await?;
                parts.push(part);
            }
            Err(AppendError::TooLarge { .. }) if part.len() > 1 => {
                let (one, other) = part.split_at(part.len() / 2);
                parts.extend([other, one]);
            }
            Err(AppendError::TooLarge { limit, actual }) => {
                return Err(CopyError::TooLarge { position: first.position, limit, actual });
            }
            Err(AppendError::Conflict { actual }) => {
                return Err(CopyError::Misplaced {
                    position: first.position,
                    stream: first.stream.clone(),
                    revision: first.revision,
                    actual,
                });
            }
            Err(AppendError::Corrupt(corruption)) => {
                return Err(CopyError::Corrupt { side: Side::Destination, corruption });
            }
        }
    }
    Ok(())
}
