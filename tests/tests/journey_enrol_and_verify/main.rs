//! From the first QR code to a proof that others can check.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed test says so by panicking")]

mod assertion;
mod enrolment;
mod repeats;
mod sign_in;
mod steps_in_time;
mod verification;
