//! The challenge service: asks users for proof and judges their answers.
//!
//! `app` holds one use case a file and knows nothing of gRPC; `api` reads requests, calls a use case and shows the
//! outcome.

#![forbid(unsafe_code)]

mod api;
mod app;

use std::sync::Arc;

use countersign_proto::challenge::challenge_service_server::ChallengeServiceServer;
use countersign_service::{Foundation, lifecycle::Lifecycle};

pub use api::ChallengeApi;
pub use app::{AssertionSigner, Claims};

/// Greatest size of a request in bytes; every field of every request fits in a fraction of it.
const MAX_REQUEST_BYTES: usize = 64 * 1024;

/// Makes the server of ChallengeService. Watches end when `lifecycle` stops.
#[must_use]
pub fn challenge_server(
    foundation: Arc<Foundation>,
    signer: Arc<dyn AssertionSigner>,
    lifecycle: &Lifecycle,
) -> ChallengeServiceServer<ChallengeApi> {
    ChallengeServiceServer::new(ChallengeApi::new(foundation, signer, lifecycle.stopping()))
        .max_decoding_message_size(MAX_REQUEST_BYTES)
}
