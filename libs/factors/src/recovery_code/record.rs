//! What is remembered of a set: hashes of its codes, and how they were made.

use countersign_core::SecretBytes;
use serde::{Deserialize, Serialize};
use subtle::{ConditionallySelectable as _, ConstantTimeEq as _};
use zeroize::Zeroizing;

use super::KIND;
use crate::{
    EnrollmentError, RecordError,
    look_up::{Code, Cost, HASH_LEN, SALT_LEN},
    record,
};

const VERSION: u8 = 1;

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

    use super::{super::FORM, *};
    use crate::look_up::hash_tests::{SALT, VECTORS};

    fn code() -> Code {
        FORM.parse("0123-45678-9ABC").unwrap()
    }

    /// Records lie in logs for good: what version 1 wrote must be read by every later release.
    #[test]
    fn a_record_of_version_1_is_read_as_it_was_written() {
        let (_, hash) = VECTORS[0];
        let written = format!("0108010110{}20{hash}", HEXLOWER.encode(&SALT));
        let record = SecretBytes::new(HEXLOWER.decode(written.as_bytes()).unwrap());
        let code = code();
        assert_eq!(Record::decode(&record).unwrap().find(&code), Ok(Some(0)));
        assert_eq!(Record::of(&[code], Cost::CHEAP, &SALT), Ok(record));
    }

    #[test]
    fn a_set_remembers_what_it_cost_so_that_new_ones_can_cost_more() {
        let code = code();
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
        let code = code();
        assert_eq!(impossible.find(&code), Err(RecordError::Unhashable));
    }
}
