//! What a process tells of keys though nobody asked for it here.

use countersign_eventsourcing::{Metadata, Request};
use countersign_service::Foundation;

/// Who tells of it.
pub(super) const REQUESTER: &str = "service:keys";

/// Makes the request of what nobody asked for here.
pub(in crate::serve) fn unasked(foundation: &Foundation) -> Request {
    let command_id = foundation.new_id();
    let metadata = Metadata {
        recorded_at: foundation.now(),
        correlation_id: foundation.new_id(),
        causation_id: command_id,
        requester: REQUESTER.into(),
        traceparent: "".into(),
        request_digest: 0,
    };
    Request { command_id, metadata }
}
