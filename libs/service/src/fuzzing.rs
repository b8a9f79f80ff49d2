//! What fuzz targets see of headers, and nobody else.

use std::time::Duration;

use http::HeaderMap;

/// Reads `grpc-timeout`.
#[must_use]
pub fn grpc_timeout(headers: &HeaderMap) -> Option<Duration> {
    crate::deadline::requested(headers)
}

/// Returns whether `text` is kept as a `traceparent`.
#[must_use]
pub fn is_traceparent(text: &str) -> bool {
    crate::scope::is_traceparent(text)
}
