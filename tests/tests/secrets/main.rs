//! What is secret or personal is in no log, span, error, panic, file or message to others, and in memory no longer than it
//! has to be.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed test says so by panicking"
)]

mod callers;
mod list;
mod memory;
mod misplaced;
mod one_process;
mod outside;
mod over_jetstream;
mod panics;
mod redacted;
mod story;
mod tap;
mod zeroised;
