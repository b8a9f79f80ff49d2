//! What the tests of the whole house share: a server in this process or as one of its own, callers, and users' phones.

#![forbid(unsafe_code)]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "this crate is tests: whatever goes wrong here has failed one"
)]

pub mod aftermath;
mod caller;
pub mod cluster;
mod fate;
pub mod holding;
mod house;
mod lines;
pub mod load;
mod phone;
pub mod process;
mod raw;
mod replay;
pub mod schema;
mod sought;
mod steps;
mod tenant;
mod told;
pub mod tools;
mod wire;

pub use caller::Caller;
pub use fate::Fate;
pub use house::{Fittings, House, connect, first_key};
pub use lines::Lines;
pub use phone::Phone;
pub use process::Process;
pub use sought::{Sought, files, latin};
pub use tenant::Tenant;
pub use told::Told;
pub use wire::Wire;

use std::time::Duration;

use countersign_core::Timestamp;
use tonic::Status;
use tonic_types::StatusExt as _;

/// Returns the reason that a status gives; empty if none.
#[must_use]
pub fn reason(status: &Status) -> String {
    status.get_details_error_info().map(|found| found.reason).unwrap_or_default()
}

/// Returns how long a status asks to wait before the next try; `None` if it says nothing.
#[must_use]
pub fn retry_after(status: &Status) -> Option<Duration> {
    status.get_details_retry_info().and_then(|found| found.retry_delay)
}

/// Reads an instant of the wire.
#[must_use]
pub fn instant(wire: &prost_types::Timestamp) -> Timestamp {
    let micros = wire.seconds * 1_000_000 + i64::from(wire.nanos) / 1_000;
    Timestamp::from_unix_micros(micros)
}
