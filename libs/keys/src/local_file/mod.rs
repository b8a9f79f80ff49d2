//! Keys in a directory of the local file system, under a key-encryption key in a file.
//!
//! | File | Holds |
//! | --- | --- |
//! | `kek` | the key-encryption key, in the clear: readable by its owner alone |
//! | `data-keys` | the data-key store |
//! | `assertion-keys` | the key that signs statements, wrapped |
//! | `index-key` | the key of keyed hashes, wrapped and bound to this very `data-keys` |
//!
//! They are made in this order at the first start, each put in place whole. The last one thus tells that the first start
//! came to its end: from then on a file that is missing was lost, and is never made anew.

mod kek;
mod keys;
mod verify;

#[cfg(test)]
pub(crate) use kek::Kek;
pub use keys::LocalKeys;
pub use verify::{KeyReport, verify};
