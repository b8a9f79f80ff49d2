//! Randomness that is the same at every run.

use countersign_core::Rng;
use parking_lot::Mutex;
use rand_chacha::ChaCha12Rng;
use rand_core::{Rng as _, SeedableRng as _};

/// ChaCha from a seed: as good as the real thing, and the same at every run.
#[derive(Debug)]
pub struct SeededRandom(Mutex<ChaCha12Rng>);

impl SeededRandom {
    /// Begins at `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(ChaCha12Rng::seed_from_u64(seed)))
    }
}

impl Rng for SeededRandom {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.lock().fill_bytes(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(random: &SeededRandom) -> [u8; 16] {
        let mut bytes = [0; 16];
        random.fill(&mut bytes);
        bytes
    }

    #[test]
    fn a_seed_says_what_comes() {
        let (first, second) = (SeededRandom::new(7), SeededRandom::new(7));
        assert_eq!(drawn(&first), drawn(&second));
        assert_ne!(drawn(&first), drawn(&SeededRandom::new(8)));
    }
}
