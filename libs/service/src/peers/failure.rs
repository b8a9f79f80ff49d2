//! What the forwarder itself has to say.

use std::{error::Error, net::SocketAddr, time::Duration};

use http::{HeaderValue, Response};
use tonic::body::Body;

use super::forward::FORWARDED_METADATA;
use crate::{ApiError, Reason, to_status};

/// When it makes sense to ask again: by then replicas that failed have been tried again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Says in an answer that a process does not serve what was forwarded to it.
const REFUSED: HeaderValue = HeaderValue::from_static("refused");

/// What happened at a replica, for the operator's log.
#[derive(Debug, thiserror::Error)]
#[error("replica {address}")]
pub(super) struct ReplicaFailure {
    pub(super) address: SocketAddr,
    pub(super) source: Box<dyn Error + Send + Sync>,
}

/// Whether a call may have been carried out though nobody answered it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It never left.
    NotSent,
    /// Nobody knows.
    Unknown,
}

impl Fate {
    /// Returns what is known of a call after a further try.
    pub(super) fn and(self, next: Self) -> Self {
        if self == Self::NotSent { next } else { self }
    }
}

/// No replica of `service` answers.
pub(super) fn unavailable(service: &str, fate: Fate) -> ApiError {
    let message = match fate {
        Fate::NotSent => format!("no replica of {service} can be reached; nothing was changed"),
        Fate::Unknown => {
            format!("no replica of {service} answered; it may or may not have been carried out")
        }
    };
    ApiError::with_message(Reason::ServiceUnavailable, message)
        .with("service", service)
        .retry_after(RETRY_AFTER)
}

/// Nobody said where `service` is.
pub(super) fn not_served(service: &str, here: &str) -> ApiError {
    let message = format!(
        "this process serves {here} and does not know where {service} is: name it in the setting \
         peers.{service}, such as http://{service}:7443"
    );
    ApiError::with_message(Reason::ServiceNotServed, message).with("service", service)
}

/// A peer takes this process for a replica of `service`. The answer is marked, so that the peer asks another one.
pub(super) fn misdirected(service: &str, here: &str) -> Response<Body> {
    let message = format!(
        "misconfigured peers: this process serves {here}; mend the setting peers.{service} of the \
         process that was called first"
    );
    let error =
        ApiError::with_message(Reason::PeersMisconfigured, message).with("service", service);
    let mut response = to_status(&error).into_http::<Body>();
    response.headers_mut().insert(FORWARDED_METADATA, REFUSED);
    response
}

/// Returns whether `response` is a peer's word that it does not serve what was forwarded to it.
pub(super) fn is_misdirected(response: &Response<Body>) -> bool {
    response.headers().get(FORWARDED_METADATA) == Some(&REFUSED)
}
