//! Keys in a directory of the local file system.
//!
//! | File | Holds |
//! | --- | --- |
//! | `kek` | the versions of the key-encryption key: readable by its owner alone, and in the clear unless a provider keeps them |
//! | `data-keys` | the data-key store |
//! | `assertion-keys` | the keys that sign statements, wrapped |
//! | `index-key` | the key of keyed hashes, wrapped and bound to this very `data-keys` |
//!
//! They are made in this order at the first start, each put in place whole. The last one thus tells that the first start
//! came to its end: from then on a file that is missing was lost, and is never made anew.

mod keys;
#[cfg(test)]
mod tests;
mod verify;
mod wrapped;

pub use keys::LocalKeys;
pub(crate) use keys::{not_lost, prepare, present};
pub use verify::{KeyReport, verify, verify_with};
pub(crate) use verify::{MAX_PROBLEMS, PROGRESS_INTERVAL, other_problems};
pub(crate) use wrapped::{
    ASSERTION_KEYS, INDEX_KEY, create_index_key, create_signing_key, files_not_under,
    open_index_key, open_signing_keys, rewrap_files, write_signing_keys,
};
