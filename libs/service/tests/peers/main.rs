//! Calls that are passed on to other processes: real servers, real connections, and wires that are cut and stalled.

#![expect(clippy::unwrap_used, reason = "a failed test says so by panicking")]

mod balancing;
mod deadlines;
mod fail_over;
mod guards;
mod names;
mod passing_on;
mod peer;
mod restarts;
mod streams;
mod world;
