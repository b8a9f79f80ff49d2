//! Look-up secrets (NIST SP 800-63B-4 section 3.1.2): random codes that a user is handed, of which only memory-hard
//! hashes are kept. More than one kind is made of them.

mod code;
mod hash;

pub(crate) use code::{Code, Form};
#[cfg(test)]
pub(crate) use hash::tests as hash_tests;
pub(crate) use hash::{Cost, HASH_LEN, SALT_LEN};
