//! The keys that sign statements of proofs: one signs, others are published, because what they signed is still good or
//! because they will sign soon.
//!
//! ```text
//!            publish                     sign                      publish
//! (nothing) ---------> new: published ---------> signs; old one: -----------> removed
//!                      the overlap, in            published until
//!                      which caches learn it      its statements expired
//! ```

mod file;
mod jwk;
mod key;
mod keys;
mod published;

pub(crate) use file::{HeldKey, NEVER, decode, encode};
pub use key::{AssertionAlgorithm, AssertionKey, SignError};
pub use keys::AssertionKeys;
pub(crate) use keys::SystemClock;
pub use published::PublishedKey;
