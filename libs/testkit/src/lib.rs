//! Time that tests move and randomness that tests repeat.

#![forbid(unsafe_code)]
#![cfg_attr(
    feature = "nats",
    expect(clippy::expect_used, reason = "the test kit fails tests by panicking")
)]

mod clock;
#[cfg(feature = "nats")]
mod nats;
mod random;

pub use clock::MovableClock;
#[cfg(feature = "nats")]
pub use nats::{NatsCluster, NatsServer};
pub use random::SeededRandom;
