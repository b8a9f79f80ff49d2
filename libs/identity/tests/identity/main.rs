//! Tokens of issuers that publish their keys over HTTP: right ones, forged ones, and keys that come and go.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a failed test says so by panicking"
)]

mod attacks;
mod away;
mod discovery;
mod kubernetes;
mod mutations;
mod rotation;
mod server;
mod signing;
mod tls;
mod world;
