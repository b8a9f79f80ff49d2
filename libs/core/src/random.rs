//! Randomness as an argument.

use uuid::Uuid;

use crate::Timestamp;

/// A source of random bytes fit for keys and ids.
///
/// Production has the operating system's; tests have a seeded one.
pub trait Rng: Send + Sync {
    /// Fills `bytes` with random bytes.
    fn fill(&self, bytes: &mut [u8]);
}

/// Returns a UUID version 7 (RFC 9562 section 5.7) for `now`: ids made later sort later.
#[must_use]
pub fn new_uuid_v7(now: Timestamp, rng: &dyn Rng) -> Uuid {
    let mut random = [0u8; 10];
    rng.fill(&mut random);
    let millis = u64::try_from(now.unix_millis()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}
