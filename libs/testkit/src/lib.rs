//! Time that tests move and randomness that tests repeat.

#![forbid(unsafe_code)]
#![cfg_attr(
    any(
        feature = "authority",
        feature = "issuer",
        feature = "kurrentdb",
        feature = "nats",
        feature = "proxy"
    ),
    expect(clippy::expect_used, reason = "the test kit fails tests by panicking")
)]

#[cfg(feature = "authority")]
pub mod authority;
mod clock;
#[cfg(feature = "proxy")]
mod cuttable;
#[cfg(feature = "issuer")]
mod issuer;
#[cfg(feature = "kurrentdb")]
mod kurrentdb;
#[cfg(feature = "nats")]
mod nats;
#[cfg(any(feature = "issuer", feature = "kurrentdb", feature = "nats", feature = "proxy"))]
mod ports;
mod random;

pub use clock::{MovableClock, SharedClock};
#[cfg(feature = "proxy")]
pub use cuttable::CuttableProxy;
#[cfg(feature = "issuer")]
pub use issuer::{IssuerClient, OidcIssuer};
#[cfg(feature = "kurrentdb")]
pub use kurrentdb::{Faults, KurrentDb, StoredEvent};
#[cfg(feature = "nats")]
pub use nats::{NatsCluster, NatsServer, nats_server_program};
#[cfg(any(feature = "issuer", feature = "kurrentdb", feature = "nats", feature = "proxy"))]
pub use ports::{ReservedPort, reserve_ports};
pub use random::SeededRandom;
