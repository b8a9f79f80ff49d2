//! AuditService on the wire: one RPC a file.

mod convert;
mod get_state_as_of;
mod replay_events;

use std::sync::Arc;

use countersign_proto::audit as wire;
use countersign_service::{ApiError, Foundation, Scope, lifecycle::Lifecycle, to_status};
use futures_util::stream::BoxStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

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

#[tonic::async_trait]
impl wire::audit_service_server::AuditService for AuditApi {
    type ReplayEventsStream = BoxStream<'static, Result<wire::ReplayEventsResponse, Status>>;

    async fn replay_events(
        &self,
        request: Request<wire::ReplayEventsRequest>,
    ) -> Result<Response<Self::ReplayEventsStream>, Status> {
        let answer = async {
            let scope = Scope::of(&request, "ReplayEvents", &self.foundation)?;
            self.handle_replay(&scope, request.into_inner()).await
        };
        answer.await.map(Response::new).map_err(|error: ApiError| to_status(&error))
    }

    async fn get_state_as_of(
        &self,
        request: Request<wire::GetStateAsOfRequest>,
    ) -> Result<Response<wire::GetStateAsOfResponse>, Status> {
        let answer = async {
            let scope = Scope::of(&request, "GetStateAsOf", &self.foundation)?;
            self.handle_state_as_of(&scope, request.into_inner()).await
        };
        answer.await.map(Response::new).map_err(|error: ApiError| to_status(&error))
    }
}
