//! Who may do what to whom: every RPC with every kind of caller, and every kind of user that it may be about.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "these are tests: whatever goes wrong here has failed one"
)]

mod callers;
mod keys;
mod matrix;
mod self_service;
