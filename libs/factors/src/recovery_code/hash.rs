//! What is remembered of a set: Argon2id hashes (RFC 9106) of its codes, and how they were made.

use argon2::{Algorithm, Argon2, Params, Version};
use countersign_core::SecretBytes;
use serde::{Deserialize, Serialize};
use subtle::{ConditionallySelectable as _, ConstantTimeEq as _};
use zeroize::Zeroizing;

use super::{KIND, code::Code};
use crate::{EnrollmentError, RecordError, record};

const VERSION: u8 = 1;

/// Length of the salt in bytes (RFC 9106 section 3.1).
pub(super) const SALT_LEN: usize = 16;

/// Length of a hash in bytes.
const HASH_LEN: usize = 32;

/// What hashing one code costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cost {
    /// Memory, in KiB.
    memory_kib: u32,
    /// Passes over the memory.
    passes: u32,
    /// Lanes that may be computed in parallel.
    lanes: u32,
}

impl Cost {
    /// 19 MiB, 2 passes, 1 lane: the first choice of the OWASP Password Storage Cheat Sheet where the 2 GiB of RFC
    /// 9106 section 4 cannot be spared. Ample for secrets of 65 random bits.
    pub(super) const STANDARD: Self = Self { memory_kib: 19 * 1024, passes: 2, lanes: 1 };

    /// The least that Argon2 can do.
    #[cfg(test)]
    pub(super) const CHEAP: Self = Self { memory_kib: 8, passes: 1, lanes: 1 };

    /// What a record may ask for. A damaged one must not be able to ask for terabytes.
    const MOST: Self = Self { memory_kib: 256 * 1024, passes: 16, lanes: 16 };

    const fn is_bearable(self) -> bool {
        self.memory_kib <= Self::MOST.memory_kib
            && self.passes <= Self::MOST.passes
            && self.lanes <= Self::MOST.lanes
    }

    fn hash(self, code: &Code, salt: &[u8]) -> argon2::Result<Zeroizing<[u8; HASH_LEN]>> {
        let params = Params::new(self.memory_kib, self.passes, self.lanes, Some(HASH_LEN))?;
        let mut hash = Zeroizing::new([0; HASH_LEN]);
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        argon2.hash_password_into(code.symbols(), salt, &mut *hash)?;
        Ok(hash)
    }
}

/// Version 1.
///
/// One salt serves the whole set, so that an answer costs one hash however many codes there are. A salt is there to
/// keep one guess from being tried on many users; within a set of independent random codes there is nothing for it
/// to keep apart.
#[derive(Serialize, Deserialize)]
pub(super) struct Record<'a> {
    cost: Cost,
    salt: &'a [u8],
    /// The hashes of all codes, one after the other.
    hashes: &'a [u8],
}

impl<'a> Record<'a> {
    /// Makes the record of a new set: one hash for every code.
    pub(super) fn of(
        codes: &[Code],
        cost: Cost,
        salt: &[u8; SALT_LEN],
    ) -> Result<SecretBytes, EnrollmentError> {
        let failed = |reason| EnrollmentError::Record { kind: KIND, reason };
        let mut hashes = Zeroizing::new(Vec::with_capacity(HASH_LEN * codes.len()));
        for code in codes {
            let hash = cost.hash(code, salt).map_err(|_| failed("a code could not be hashed"))?;
            hashes.extend_from_slice(&*hash);
        }
        let record = Record { cost, salt, hashes: &hashes };
        // The cost and the two lengths take less than 32 bytes.
        record::encode(VERSION, &record, 32 + SALT_LEN + hashes.len())
            .map_err(|_| failed("it could not be written"))
    }

    pub(super) fn decode(bytes: &'a SecretBytes) -> Result<Self, RecordError> {
        let record: Self = record::decode(VERSION, bytes)?;
        if !record.cost.is_bearable() {
            return Err(RecordError::damaged("its hashes would cost too much"));
        }
        if record.salt.len() != SALT_LEN {
            return Err(RecordError::damaged("its salt does not have 16 bytes"));
        }
        if record.hashes.is_empty() || !record.hashes.len().is_multiple_of(HASH_LEN) {
            return Err(RecordError::damaged("its hashes do not have 32 bytes each"));
        }
        Ok(record)
    }

    /// Returns the place of a code in the set.
    ///
    /// Compares with all of them in constant time: neither whether nor where it was found shows in the time taken.
    pub(super) fn find(&self, code: &Code) -> Result<Option<u32>, RecordError> {
        let hash = self.cost.hash(code, self.salt).map_err(|_| RecordError::Unhashable)?;
        let mut found = u32::MAX;
        for (index, known) in (0_u32..).zip(self.hashes.chunks_exact(HASH_LEN)) {
            found.conditional_assign(&index, known.ct_eq(&*hash));
        }
        Ok((found != u32::MAX).then_some(found))
    }
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;

    use super::*;

    const SALT: [u8; SALT_LEN] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

    /// Computed with the reference implementation in C (through its Python binding, argon2-cffi).
    const VECTORS: [(Cost, &str); 2] = [
        (Cost::CHEAP, "51bd0ece6307abaf9e94b7ecde6b142e6e9f3fb1d931fb4ed80a34833d075ef2"),
        (Cost::STANDARD, "86467288d7c530f94a1c29e72f77bcea24e48eaf20c2cb9d758b8f75a359db8a"),
    ];

    #[test]
    fn hashes_are_those_of_the_reference_implementation() {
        let code = Code::parse("0123-45678-9ABC").unwrap();
        for (cost, expected) in VECTORS {
            assert_eq!(HEXLOWER.encode(&*cost.hash(&code, &SALT).unwrap()), expected);
        }
    }

    /// Records lie in logs for good: what version 1 wrote must be read by every later release.
    #[test]
    fn a_record_of_version_1_is_read_as_it_was_written() {
        let (_, hash) = VECTORS[0];
        let written = format!("0108010110{}20{hash}", HEXLOWER.encode(&SALT));
        let record = SecretBytes::new(HEXLOWER.decode(written.as_bytes()).unwrap());
        let code = Code::parse("0123-45678-9ABC").unwrap();
        assert_eq!(Record::decode(&record).unwrap().find(&code), Ok(Some(0)));
        assert_eq!(Record::of(&[code], Cost::CHEAP, &SALT), Ok(record));
    }

    #[test]
    fn a_set_remembers_what_it_cost_so_that_new_ones_can_cost_more() {
        let code = Code::parse("0123-45678-9ABC").unwrap();
        let dearer = Cost { memory_kib: 64, passes: 2, lanes: 2 };
        let record = Record::of(&[code], dearer, &SALT).unwrap();
        assert_eq!(Record::decode(&record).unwrap().cost, dearer);
    }

    #[test]
    fn a_record_cannot_ask_for_more_than_can_be_borne() {
        let costs = [
            Cost { memory_kib: u32::MAX, ..Cost::CHEAP },
            Cost { passes: 17, ..Cost::CHEAP },
            Cost { lanes: 17, ..Cost::CHEAP },
        ];
        for cost in costs {
            let record = Record { cost, salt: &SALT, hashes: &[0; HASH_LEN] };
            let record = record::encode(VERSION, &record, 128).unwrap();
            let refused = RecordError::damaged("its hashes would cost too much");
            assert_eq!(Record::decode(&record).err(), Some(refused));
        }
        let impossible =
            Record { cost: Cost { passes: 0, ..Cost::CHEAP }, salt: &SALT, hashes: &[0; 32] };
        let code = Code::parse("0123-45678-9ABC").unwrap();
        assert_eq!(impossible.find(&code), Err(RecordError::Unhashable));
    }
}
