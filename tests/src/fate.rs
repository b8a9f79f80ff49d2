//! What happens when in tests of faults.

use countersign_core::Rng as _;
use countersign_service::OsRandom;
use countersign_testkit::SeededRandom;

/// When servers are killed: drawn from a seed, which a failed test prints, and which can be given again.
#[derive(Debug)]
pub struct Fate {
    seed: u64,
    random: SeededRandom,
}

impl Fate {
    /// Draws a seed, or takes the one in `COUNTERSIGN_TEST_SEED`.
    ///
    /// # Panics
    /// If that is no number.
    #[must_use]
    pub fn draw() -> Self {
        let mut drawn = [0; 8];
        OsRandom.fill(&mut drawn);
        let given = std::env::var_os("COUNTERSIGN_TEST_SEED");
        let given = given.map(|seed| seed.to_str().unwrap().parse().unwrap());
        let seed = given.unwrap_or_else(|| u64::from_le_bytes(drawn));
        Self { seed, random: SeededRandom::new(seed) }
    }

    /// Returns a number below `end`.
    #[must_use]
    pub fn below(&self, end: u64) -> u64 {
        let mut drawn = [0; 8];
        self.random.fill(&mut drawn);
        u64::from_le_bytes(drawn) % end
    }
}

impl Drop for Fate {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("again with COUNTERSIGN_TEST_SEED={}", self.seed);
        }
    }
}
