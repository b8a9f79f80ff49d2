//! What acts on the world because of events.

mod account;
mod account_notices;
mod delivery_sender;
mod message;
mod notice;

use std::sync::Arc;

use countersign_eventsourcing::{Metadata, RecordedEvent, Request};
use countersign_service::Foundation;
use uuid::Uuid;

pub use account_notices::AccountNotices;
pub use delivery_sender::DeliverySender;

/// Names the commands that reactions make (RFC 9562 section 5.5); never changes, or repeats would not be found.
const REACTIONS: Uuid = Uuid::from_u128(0x2b7d_9e14_60c5_4f3a_9a81_c4e6_0d57_f2b8);

/// Who asks for what a reactor does.
const REQUESTER: &str = "service:notification";

/// Makes the request of the command that `purpose` names and `cause` leads to: always the same id for the same event,
/// so that an event seen again is carried out once.
fn request(foundation: &Foundation, purpose: &str, cause: &RecordedEvent) -> Request {
    let caused_by = &cause.event.metadata;
    let name = [purpose.as_bytes(), b"\0", cause.event.id.as_bytes()].concat();
    let command_id = Uuid::new_v5(&REACTIONS, &name);
    Request {
        command_id,
        metadata: Metadata {
            recorded_at: foundation.now(),
            correlation_id: caused_by.correlation_id,
            causation_id: command_id,
            requester: REQUESTER.into(),
            traceparent: Arc::clone(&caused_by.traceparent),
            request_digest: 0,
        },
    }
}
