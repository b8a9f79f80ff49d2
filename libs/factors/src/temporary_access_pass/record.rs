//! What is remembered of a pass: a hash of its code, how it was made, and when it opens.

use countersign_core::SecretBytes;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

use super::{KIND, parameters::Parameters};
use crate::{
    EnrollmentError, RecordError,
    look_up::{Code, Cost, HASH_LEN, SALT_LEN},
    record,
};

const VERSION: u8 = 1;

/// Version 1.
#[derive(Serialize, Deserialize)]
pub(super) struct Record<'a> {
    cost: Cost,
    pub(super) parameters: Parameters,
    salt: &'a [u8],
    hash: &'a [u8],
}

impl<'a> Record<'a> {
    /// Makes the record of a new pass.
    pub(super) fn of(
        code: &Code,
        cost: Cost,
        salt: &[u8; SALT_LEN],
        parameters: Parameters,
    ) -> Result<SecretBytes, EnrollmentError> {
        let failed = |reason| EnrollmentError::Record { kind: KIND, reason };
        let hash = cost.hash(code, salt).map_err(|_| failed("the code could not be hashed"))?;
        let record = Record { cost, parameters, salt, hash: &*hash };
        // The cost, two instants, and the lengths take less than 64 bytes.
        record::encode(VERSION, &record, 64 + SALT_LEN + HASH_LEN)
            .map_err(|_| failed("it could not be written"))
    }

    pub(super) fn decode(bytes: &'a SecretBytes) -> Result<Self, RecordError> {
        let record: Self = record::decode(VERSION, bytes)?;
        if !record.cost.is_bearable() {
            return Err(RecordError::damaged("its hash would cost too much"));
        }
        if record.salt.len() != SALT_LEN {
            return Err(RecordError::damaged("its salt does not have 16 bytes"));
        }
        if record.hash.len() != HASH_LEN {
            return Err(RecordError::damaged("its hash does not have 32 bytes"));
        }
        Ok(record)
    }

    /// Returns whether `code` is the code of the pass, in constant time.
    pub(super) fn is(&self, code: &Code) -> Result<bool, RecordError> {
        let hash = self.cost.hash(code, self.salt).map_err(|_| RecordError::Unhashable)?;
        Ok(self.hash.ct_eq(&*hash).into())
    }
}

#[cfg(test)]
mod tests {
    use countersign_core::Timestamp;
    use data_encoding::HEXLOWER;

    use super::{super::FORM, *};
    use crate::look_up::hash_tests::SALT;

    /// Records lie in logs for good: what version 1 wrote must be read by every later release.
    #[test]
    fn a_record_of_version_1_is_read_as_it_was_written() {
        let code = FORM.parse("0123-4567-89AB").unwrap();
        let hash = Cost::CHEAP.hash(&code, &SALT).unwrap();
        // Version; cost; microseconds by zigzag; single use; salt; hash.
        let [salt, hash] = [&SALT[..], &hash[..]].map(|bytes| HEXLOWER.encode(bytes));
        let written = format!("01080101808092f40180c4b1c90e0110{salt}20{hash}");
        let parameters = Parameters {
            starts_at: Timestamp::from_unix_seconds(256),
            ends_at: Timestamp::from_unix_seconds(1_956),
            single_use: true,
        };
        let record = SecretBytes::new(HEXLOWER.decode(written.as_bytes()).unwrap());
        assert_eq!(
            Record::of(&code, Cost::CHEAP, &SALT, parameters)
                .map(|own| HEXLOWER.encode(own.expose())),
            Ok(written)
        );
        let read = Record::decode(&record).unwrap();
        assert_eq!(read.parameters, parameters);
        assert_eq!(read.is(&code), Ok(true));
    }

    #[test]
    fn a_record_cannot_ask_for_more_than_can_be_borne() {
        let parameters = Parameters {
            starts_at: Timestamp::EPOCH,
            ends_at: Timestamp::from_unix_seconds(1),
            single_use: false,
        };
        let dear = Cost { memory_kib: u32::MAX, ..Cost::CHEAP };
        let record = Record { cost: dear, parameters, salt: &SALT, hash: &[0; HASH_LEN] };
        let record = record::encode(VERSION, &record, 128).unwrap();
        let refused = RecordError::damaged("its hash would cost too much");
        assert_eq!(Record::decode(&record).err(), Some(refused));
    }
}
