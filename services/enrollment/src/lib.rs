//! The enrollment service: binds authenticators to users, and sets tenants up.
//!
//! `app` holds one use case a file and knows nothing of gRPC; `api` reads requests, calls a use case and shows the
//! outcome; `admin` does the same for AdminService, which lives here until it outgrows us.

#![forbid(unsafe_code)]

mod admin;
mod api;
mod app;

use std::sync::Arc;

use countersign_proto::{
    admin::admin_service_server::AdminServiceServer,
    enrollment::enrollment_service_server::EnrollmentServiceServer,
};
use countersign_service::Foundation;

pub use admin::{AdminApi, BootstrapError, TenantDirectory, bootstrap};
pub use api::EnrollmentApi;

/// Greatest size of a request in bytes; every field of every request fits in a fraction of it.
const MAX_REQUEST_BYTES: usize = 64 * 1024;

/// Makes the server of EnrollmentService.
#[must_use]
pub fn enrollment_server(foundation: Arc<Foundation>) -> EnrollmentServiceServer<EnrollmentApi> {
    EnrollmentServiceServer::new(EnrollmentApi::new(foundation))
        .max_decoding_message_size(MAX_REQUEST_BYTES)
}

/// Makes the server of AdminService.
#[must_use]
pub fn admin_server(
    foundation: Arc<Foundation>,
    directory: Arc<TenantDirectory>,
) -> AdminServiceServer<AdminApi> {
    AdminServiceServer::new(AdminApi::new(foundation, directory))
        .max_decoding_message_size(MAX_REQUEST_BYTES)
}
