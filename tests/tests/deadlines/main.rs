//! Nothing hangs: calls end in time, streams end with what they show, and a stop loses nothing that was acknowledged.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed test says so by panicking"
)]

mod grpc_timeout;
mod stopping;
mod watching;

use std::{future::Future, time::Duration};

/// Waits for what must come soon; far longer than it takes, so that a hang fails instead of hanging.
async fn soon<T>(coming: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), coming).await.expect("it does not hang")
}
