//! Keys as the services and the operator use them.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed test says so by panicking"
)]

mod assertions;
mod first_start;
mod model;
mod providers;
mod rotation;
mod shared;
mod support;
mod vault;
mod verify;
