//! The bus against real NATS servers.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a failed test says so by panicking"
)]

mod cluster;
mod consuming;
mod hostile;
mod in_process;
mod parking;
mod publishing;
mod reactors;
mod restart;
mod standing_by;
mod test_log;
mod world;
