//! What the tests of every kind need.

use std::sync::atomic::{AtomicU64, Ordering};

use countersign_core::{Rng, SecretBytes};

use crate::BeginEnrollment;

/// SplitMix64: repeatable and evenly spread, which is all that a test asks of randomness.
pub(crate) struct Seeded(AtomicU64);

impl Seeded {
    pub(crate) fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    fn next(&self) -> u64 {
        const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;
        let z = self.0.fetch_add(GAMMA, Ordering::Relaxed).wrapping_add(GAMMA);
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

impl Rng for Seeded {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes()[..chunk.len()]);
        }
    }
}

pub(crate) fn begin(parameters: &[(&str, &str)]) -> BeginEnrollment {
    BeginEnrollment {
        account_name: "jo@example.com".to_owned(),
        issuer: "Example".to_owned(),
        parameters: parameters.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
    }
}

/// Returns the record with one bit changed, and the record cut short there.
pub(crate) fn damaged(record: &SecretBytes, at: usize, bit: u8) -> [SecretBytes; 2] {
    let mut flipped = record.expose().to_vec();
    flipped[at] ^= 1 << bit;
    [SecretBytes::new(flipped), SecretBytes::new(record.expose()[..at].to_vec())]
}
