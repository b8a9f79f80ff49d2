//! The policy service: says whether a sign-in needs more proof.
//!
//! The judging itself is pure and lives in `countersign_domain::policy`; this service looks up what the engine may see,
//! records the evaluation and shows it.

#![forbid(unsafe_code)]

mod api;
mod app;

use std::sync::Arc;

use countersign_proto::policy::policy_service_server::PolicyServiceServer;
use countersign_service::Foundation;

pub use api::PolicyApi;

/// Greatest size of a request in bytes; every field of every request fits in a fraction of it.
const MAX_REQUEST_BYTES: usize = 64 * 1024;

/// Makes the server of PolicyService.
#[must_use]
pub fn policy_server(foundation: Arc<Foundation>) -> PolicyServiceServer<PolicyApi> {
    PolicyServiceServer::new(PolicyApi::new(foundation))
        .max_decoding_message_size(MAX_REQUEST_BYTES)
}
