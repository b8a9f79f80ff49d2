//! Use cases, one a file.

mod cancel_challenge;
mod create_challenge;
mod release_throttle;
mod sign;
mod source;
mod verify_challenge;

pub(crate) use cancel_challenge::cancel_challenge;
pub(crate) use create_challenge::{CreateChallenge, create_challenge};
pub(crate) use release_throttle::release_throttle;
pub use sign::{AssertionSigner, Claims};
pub(crate) use verify_challenge::{Attempt, Verification, verify_challenge};
