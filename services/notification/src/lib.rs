//! The notification service: tells users what happened to their account, and keeps how the telling went.
//!
//! Two reactors follow the log. [`AccountNotices`] announces a delivery for every event that a user must be told about;
//! [`DeliverySender`] hands announced deliveries to a [`Messenger`](countersign_providers::Messenger) and records what
//! came of it. Nothing leaves that the log does not announce. [`Deliveries`] is the read model that lists them.

#![forbid(unsafe_code)]

mod api;
mod course;
mod followers;
mod projections;
mod reactors;
mod trouble;

use std::sync::Arc;

use countersign_proto::notification::notification_service_server::NotificationServiceServer;
use countersign_service::Foundation;

pub use api::NotificationApi;
pub use followers::Followers;
pub use projections::Deliveries;
pub use reactors::{AccountNotices, DeliverySender};

/// Greatest size of a request in bytes; every field of every request fits in a fraction of it.
const MAX_REQUEST_BYTES: usize = 64 * 1024;

/// Makes the server of NotificationService, over the read model that [`Followers::deliveries`] keeps up to date.
#[must_use]
pub fn notification_server(
    foundation: Arc<Foundation>,
    deliveries: Arc<Deliveries>,
) -> NotificationServiceServer<NotificationApi> {
    NotificationServiceServer::new(NotificationApi::new(foundation, deliveries))
        .max_decoding_message_size(MAX_REQUEST_BYTES)
}
