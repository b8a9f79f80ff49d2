//! Time that tests move and randomness that tests repeat.

#![forbid(unsafe_code)]

mod clock;
mod random;

pub use clock::MovableClock;
pub use random::SeededRandom;
