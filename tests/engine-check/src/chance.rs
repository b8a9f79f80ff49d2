//! The moments at which things are broken.

use std::hash::{BuildHasher as _, RandomState};

use countersign_core::{Rng as _, TenantId};
use countersign_testkit::SeededRandom;

/// Chance that can be repeated.
#[derive(Debug)]
pub(crate) struct Chance {
    seed: u64,
    random: SeededRandom,
}

impl Chance {
    /// Begins at `seed`.
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, random: SeededRandom::new(seed) }
    }

    /// Draws a seed.
    pub(crate) fn draw() -> Self {
        Self::new(RandomState::new().hash_one(0))
    }

    pub(crate) const fn seed(&self) -> u64 {
        self.seed
    }

    /// Returns a number below `end`.
    pub(crate) fn below(&self, end: u64) -> u64 {
        let mut drawn = [0; 8];
        self.random.fill(&mut drawn);
        u64::from_le_bytes(drawn) % end
    }

    /// Names a tenant that no other check has used, nor an earlier run with the same seed.
    pub(crate) fn tenant(&self) -> TenantId {
        let random = RandomState::new();
        TenantId::parse(&format!("f{:016x}{:016x}", random.hash_one(0), random.hash_one(1)))
            .unwrap()
    }
}
