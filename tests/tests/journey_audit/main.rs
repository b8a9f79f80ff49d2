//! What security teams ask afterwards, and who may ask anything at all.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed test says so by panicking"
)]

mod as_of;
mod bad_keys;
mod deliveries;
mod replay;
mod roles;
mod tenancy;
