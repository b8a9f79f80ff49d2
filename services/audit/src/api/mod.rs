//! AuditService on the wire: one RPC a file.

mod convert;
mod get_state_as_of;
mod replay_events;

use std::sync::Arc;

use countersign_proto::audit as wire;
use countersign_service::{Foundation, lifecycle::Lifecycle};
use futures_util::stream::BoxStream;
use tokio_util::sync::CancellationToken;
use tonic::Status;

/// AuditService over a foundation.
#[derive(Debug)]
pub struct AuditApi {
    foundation: Arc<Foundation>,
    stopping: CancellationToken,
}

impl AuditApi {
    /// Serves what the log of `foundation` holds. Replays end when `lifecycle` stops.
    #[must_use]
    pub fn new(foundation: Arc<Foundation>, lifecycle: &Lifecycle) -> Self {
        Self { foundation, stopping: lifecycle.stopping() }
    }
}

countersign_service::rpcs! {
    AuditApi as wire::audit_service_server::AuditService [
        type ReplayEventsStream = BoxStream<'static, Result<wire::ReplayEventsResponse, Status>>;
    ] {
        replay_events(wire::ReplayEventsRequest) -> Self::ReplayEventsStream
            = "ReplayEvents" by handle_replay;
        get_state_as_of(wire::GetStateAsOfRequest) -> wire::GetStateAsOfResponse
            = "GetStateAsOf" by handle_state_as_of;
    }
}
