//! What the tests of the whole house share: a server in this process or as one of its own, callers, and users' phones.

#![forbid(unsafe_code)]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "this crate is tests: whatever goes wrong here has failed one"
)]

mod caller;
mod house;
mod phone;
pub mod schema;
mod tenant;

pub use caller::Caller;
pub use house::House;
pub use phone::Phone;
pub use tenant::Tenant;

use countersign_core::Timestamp;
use tonic::Status;
use tonic_types::StatusExt as _;

/// Returns the reason that a status gives; empty if none.
#[must_use]
pub fn reason(status: &Status) -> String {
    status.get_details_error_info().map(|found| found.reason).unwrap_or_default()
}

/// Reads an instant of the wire.
#[must_use]
pub fn instant(wire: &prost_types::Timestamp) -> Timestamp {
    let micros = wire.seconds * 1_000_000 + i64::from(wire.nanos) / 1_000;
    Timestamp::from_unix_micros(micros)
}
