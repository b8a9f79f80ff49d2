//! Argon2id hashes (RFC 9106) of codes, and what they cost.

use argon2::{Algorithm, Argon2, Params, Version};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::Code;

/// Length of the salt in bytes (RFC 9106 section 3.1).
pub(crate) const SALT_LEN: usize = 16;

/// Length of a hash in bytes.
pub(crate) const HASH_LEN: usize = 32;

/// What hashing one code costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cost {
    /// Memory, in KiB.
    pub(crate) memory_kib: u32,
    /// Passes over the memory.
    pub(crate) passes: u32,
    /// Lanes that may be computed in parallel.
    pub(crate) lanes: u32,
}

impl Cost {
    /// 19 MiB, 2 passes, 1 lane: the first choice of the OWASP Password Storage Cheat Sheet where the 2 GiB of RFC
    /// 9106 section 4 cannot be spared. Ample for secrets of 60 random bits and more.
    pub(crate) const STANDARD: Self = Self { memory_kib: 19 * 1024, passes: 2, lanes: 1 };

    /// The least that Argon2 can do.
    #[cfg(test)]
    pub(crate) const CHEAP: Self = Self { memory_kib: 8, passes: 1, lanes: 1 };

    /// What a record may ask for. A damaged one must not be able to ask for terabytes.
    const MOST: Self = Self { memory_kib: 256 * 1024, passes: 16, lanes: 16 };

    pub(crate) const fn is_bearable(self) -> bool {
        self.memory_kib <= Self::MOST.memory_kib
            && self.passes <= Self::MOST.passes
            && self.lanes <= Self::MOST.lanes
    }

    pub(crate) fn hash(
        self,
        code: &Code,
        salt: &[u8],
    ) -> argon2::Result<Zeroizing<[u8; HASH_LEN]>> {
        let params = Params::new(self.memory_kib, self.passes, self.lanes, Some(HASH_LEN))?;
        let mut hash = Zeroizing::new([0; HASH_LEN]);
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        argon2.hash_password_into(code.symbols(), salt, &mut *hash)?;
        Ok(hash)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use data_encoding::HEXLOWER;

    use super::*;
    use crate::look_up::Form;

    pub(crate) const SALT: [u8; SALT_LEN] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

    /// Of `0123456789ABC`, computed with the reference implementation in C (through its Python binding, argon2-cffi).
    pub(crate) const VECTORS: [(Cost, &str); 2] = [
        (Cost::CHEAP, "51bd0ece6307abaf9e94b7ecde6b142e6e9f3fb1d931fb4ed80a34833d075ef2"),
        (Cost::STANDARD, "86467288d7c530f94a1c29e72f77bcea24e48eaf20c2cb9d758b8f75a359db8a"),
    ];

    #[test]
    fn hashes_are_those_of_the_reference_implementation() {
        let code = Form::in_groups(&[13]).parse("0123-45678-9ABC").unwrap();
        for (cost, expected) in VECTORS {
            assert_eq!(HEXLOWER.encode(&*cost.hash(&code, &SALT).unwrap()), expected);
        }
    }
}
