//! What the server takes on, from whom, over real connections.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed test says so by panicking"
)]

mod floods;
mod overload;
mod rates;
mod raw;
mod size;
mod slow_clients;

use std::{future::Future, num::NonZeroU32, time::Duration};

use countersign_service::limits::Rate;
use tokio::time::timeout;

/// How long anything may take: far longer than anything does, so that a hang fails instead of hanging.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for `what`, within reason.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(PATIENCE, what).await.expect("an answer")
}

/// A number of a setting.
fn number(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}

/// `burst` at once, and about none after that while a test runs.
fn slow(burst: u32) -> Rate {
    Rate::new(number(burst), number(86_400), number(burst)).unwrap()
}
