//! The audit service: replays what happened, and folds it up to any time.
//!
//! `app` holds one use case a file and knows nothing of gRPC; `api` reads requests, calls a use case and shows the
//! outcome; `projections` has the read model of who was erased; `schema` says which types of events there are.

#![forbid(unsafe_code)]

mod api;
mod app;
mod projections;
mod schema;

use std::sync::Arc;

use countersign_proto::audit::audit_service_server::AuditServiceServer;
use countersign_service::{Foundation, lifecycle::Lifecycle};

pub use api::AuditApi;
pub use projections::ErasedUsers;
pub use schema::event_types;

/// Greatest size of a request in bytes; every field of every request fits in a fraction of it.
const MAX_REQUEST_BYTES: usize = 64 * 1024;

/// Makes the server of AuditService, which tells of `erased` users what nobody can read any more. Replays end when
/// `lifecycle` stops.
#[must_use]
pub fn audit_server(
    foundation: Arc<Foundation>,
    lifecycle: &Lifecycle,
    erased: Arc<ErasedUsers>,
) -> AuditServiceServer<AuditApi> {
    AuditServiceServer::new(AuditApi::new(foundation, lifecycle, erased))
        .max_decoding_message_size(MAX_REQUEST_BYTES)
}
