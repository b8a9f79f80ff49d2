//! The form of every record: one byte that says the version, then postcard.

use countersign_core::SecretBytes;
use serde::{Deserialize, Serialize};

/// Why a record cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Written by a release that knows more than this one.
    #[error("the record has version {found}, which this release cannot read; it reads {known}")]
    UnknownVersion {
        /// What it says.
        found: u8,
        /// What would be right.
        known: u8,
    },
    /// Not what was written.
    #[error("the record is damaged: {reason}")]
    Damaged {
        /// What gives it away.
        reason: &'static str,
    },
    /// Its codes could not be hashed, for example for want of memory.
    #[error("the code could not be hashed with the parameters of the record")]
    Unhashable,
}

impl RecordError {
    pub(crate) const fn damaged(reason: &'static str) -> Self {
        Self::Damaged { reason }
    }
}

/// Writes a record that takes up to `capacity` bytes beside its version. With room enough from the start no copy of
/// the secret is left behind by growing.
pub(crate) fn encode<T: Serialize>(
    version: u8,
    record: &T,
    capacity: usize,
) -> postcard::Result<SecretBytes> {
    let mut bytes = Vec::with_capacity(capacity.saturating_add(1));
    bytes.push(version);
    postcard::to_extend(record, bytes).map(SecretBytes::new)
}

/// Reads a record without copying the secrets in it.
pub(crate) fn decode<'a, T: Deserialize<'a>>(
    version: u8,
    record: &'a SecretBytes,
) -> Result<T, RecordError> {
    let (&found, rest) =
        record.expose().split_first().ok_or(RecordError::damaged("it is empty"))?;
    if found != version {
        return Err(RecordError::UnknownVersion { found, known: version });
    }
    let (decoded, rest) = postcard::take_from_bytes(rest)
        .map_err(|_| RecordError::damaged("it does not have the form of its version"))?;
    if rest.is_empty() { Ok(decoded) } else { Err(RecordError::damaged("something follows it")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_whole_and_by_its_own_version_only() {
        let record = encode(1, &(7_u8, "seven"), 16).unwrap();
        assert_eq!(decode::<(u8, &str)>(1, &record), Ok((7, "seven")));
        let unknown = RecordError::UnknownVersion { found: 1, known: 2 };
        assert_eq!(decode::<(u8, &str)>(2, &record), Err(unknown));
        let mut longer = record.expose().to_vec();
        longer.push(0);
        assert!(decode::<(u8, &str)>(1, &SecretBytes::new(longer)).is_err());
        assert!(decode::<(u8, &str)>(1, &SecretBytes::new(Vec::new())).is_err());
    }
}
