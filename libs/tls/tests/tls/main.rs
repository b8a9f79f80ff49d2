//! TLS as servers and clients meet it: real connections, real certificates, right and wrong ones.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a failed test says so by panicking")]

mod authority;
mod certificates;
mod clients;
mod door;
mod files;
mod peers;
mod reload;
mod server;
