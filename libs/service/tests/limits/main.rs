//! The layers of limits around services that tests make up, in time that tests move.

#![expect(clippy::unwrap_used, reason = "a failed test says so by panicking")]

mod callers;
mod connections;
mod entrance;
mod overload;
mod world;
