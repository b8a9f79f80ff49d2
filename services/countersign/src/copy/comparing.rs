//! Following both logs in lockstep, as far as the destination goes.

use countersign_eventsourcing::RecordedEvent;

use super::{CopyError, Told, reading::Reader};

/// How many events are compared between two reports of progress.
const PROGRESS_INTERVAL: u64 = 1_024;

/// Checks that the source begins with all that the destination holds. Returns the source's reader, which goes on behind
/// that, and how many events it was.
pub(super) async fn compare<'a>(
    mut source: Reader<'a>,
    mut destination: Reader<'_>,
    told: Told<'_>,
) -> Result<(Reader<'a>, u64), CopyError> {
    let mut compared = 0;
    while let Some(copy) = destination.next().await? {
        let Some(original) = source.next().await? else {
            return Err(CopyError::Extra {
                source_position: source.reached(),
                destination: copy.position,
            });
        };
        if let Some(field) = first_difference(&original, &copy) {
            return Err(CopyError::Differs {
                field,
                source_position: original.position,
                destination: copy.position,
            });
        }
        compared += 1;
        if compared % PROGRESS_INTERVAL == 0 {
            told(destination.progress("comparing", compared));
        }
    }
    Ok((source, compared))
}

/// Names what differs, if anything does besides the position.
fn first_difference(one: &RecordedEvent, other: &RecordedEvent) -> Option<&'static str> {
    let (a, b) = (&one.event, &other.event);
    let same = [
        ("stream", one.stream == other.stream),
        ("revision", one.revision == other.revision),
        ("id", a.id == b.id),
        ("type", a.event_type == b.event_type),
        ("schema version", a.schema_version == b.schema_version),
        ("metadata", a.metadata == b.metadata),
        ("payload", a.payload == b.payload),
    ];
    same.into_iter().find(|(_, same)| !same).map(|(field, _)| field)
}
