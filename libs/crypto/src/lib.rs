//! Sealing, keyed hashes and comparison in constant time: thin words over well-known crates.
//!
//! Floor 0: no I/O, no clock, and randomness only through the [`Rng`](countersign_core::Rng) port.

mod index;
mod seal;

use sha2::Digest as _;
use subtle::ConstantTimeEq as _;

pub use index::IndexKey;
pub use seal::{DataKey, OpenError, SealContext, Sealed, open_bytes, seal_bytes};

/// Compares in time that depends only on the lengths.
#[must_use]
pub fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

/// Returns SHA-256 (FIPS 180-4) of `bytes`.
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    sha2::Sha256::digest(bytes).into()
}
