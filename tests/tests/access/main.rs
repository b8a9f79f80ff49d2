//! Who may do what to whom: every RPC with every kind of caller, and every kind of user that it may be about.

#![expect(clippy::unwrap_used, reason = "a failed test says so by panicking")]

mod callers;
mod keys;
mod matrix;
mod self_service;
