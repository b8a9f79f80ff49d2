//! Commands over a log.

#![expect(clippy::unwrap_used, reason = "a failed test says so by panicking")]

mod once;
mod sharing;
mod sum;
