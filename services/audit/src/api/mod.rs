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

use crate::ErasedUsers;

/// AuditService over a foundation.
#[derive(Debug)]
pub struct AuditApi {
    foundation: Arc<Foundation>,
    stopping: CancellationToken,
    erased: Arc<ErasedUsers>,
}

impl AuditApi {
    /// Serves what the log of `foundation` holds, and tells of `erased` users what nobody can read any more. Replays end when
    /// `lifecycle` stops.
    #[must_use]
    pub fn new(
        foundation: Arc<Foundation>,
        lifecycle: &Lifecycle,
        erased: Arc<ErasedUsers>,
    ) -> Self {
        Self { foundation, stopping: lifecycle.stopping(), erased }
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
