//! StatusService: how this process does.

use std::{collections::BTreeSet, fmt, sync::Arc};

use countersign_eventsourcing::EventLog;
use countersign_proto::status::{
    self as wire,
    status_service_server::{StatusService, StatusServiceServer},
};
use countersign_service::{Board, FollowerReport};
use tonic::{Request, Response, Status};

use super::ServiceName;

/// Greatest size of a request in bytes; it has no fields.
const MAX_REQUEST_BYTES: usize = 64 * 1024;

/// StatusService of one process.
pub(super) struct StatusApi {
    pub(super) board: Board,
    pub(super) services: BTreeSet<ServiceName>,
    pub(super) event_log: &'static str,
    pub(super) log: Arc<dyn EventLog>,
}

impl fmt::Debug for StatusApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StatusApi").field("services", &self.services).finish_non_exhaustive()
    }
}

impl StatusApi {
    pub(super) fn into_server(self) -> StatusServiceServer<Self> {
        StatusServiceServer::new(self).max_decoding_message_size(MAX_REQUEST_BYTES)
    }
}

#[tonic::async_trait]
impl StatusService for StatusApi {
    async fn get_status(
        &self,
        _: Request<wire::GetStatusRequest>,
    ) -> Result<Response<wire::GetStatusResponse>, Status> {
        let reports = self.board.reports();
        let services = self.services.iter().flat_map(|service| service.grpc_services());
        Ok(Response::new(wire::GetStatusResponse {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            services: services.map(|&name| name.to_owned()).collect(),
            event_log: self.event_log.to_owned(),
            ready: reports.iter().all(|report| report.caught_up),
            followers: reports.into_iter().map(follower).collect(),
            log_head: self.log.head().await.ok().flatten().map(|head| head.0),
        }))
    }
}

fn follower(report: FollowerReport) -> wire::Follower {
    wire::Follower {
        name: report.name,
        caught_up: report.caught_up,
        standing_by: report.standing_by,
        position: report.position.map_or(0, |position| position.0),
        // A delay beyond what the wire can say would be centuries.
        delay: report.delay.and_then(|delay| delay.try_into().ok()),
        passed_over: report.passed_over,
        newest_passed_over: report
            .newest_passed_over
            .into_iter()
            .map(|event| wire::PassedEvent {
                position: event.position.map_or(0, |position| position.0),
                place: event.place,
                problem: event.what,
            })
            .collect(),
        pending: report.pending,
        trouble: report.trouble.unwrap_or_default(),
    }
}
