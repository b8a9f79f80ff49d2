//! The enrollment service: binds authenticators to users, and sets tenants up.
//!
//! `app` holds one use case a file and knows nothing of gRPC; `api` reads requests, calls a use case and shows the
//! outcome; `admin` does the same for AdminService, which lives here until it outgrows us. `reactors` acts because of events,
//! `retention` because of time.

#![forbid(unsafe_code)]

mod admin;
mod api;
mod app;
mod followers;
mod reactors;
mod retention;

use std::sync::Arc;

use countersign_proto::{
    admin::admin_service_server::AdminServiceServer,
    enrollment::enrollment_service_server::EnrollmentServiceServer,
};
use countersign_service::Foundation;

pub use admin::{
    AdminApi, ApprovalDirectory, BootstrapError, Directories, TenantDirectory, bootstrap,
};
pub use api::EnrollmentApi;
pub use app::{TenantErasure, erase_tenant};
pub use followers::Followers;
pub use reactors::{Erasures, SecretRotations, TenantErasures};

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
    directories: Directories,
) -> AdminServiceServer<AdminApi> {
    AdminServiceServer::new(AdminApi::new(foundation, directories))
        .max_decoding_message_size(MAX_REQUEST_BYTES)
}
