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

pub(crate) use kek::{GROUP, KEK, Kek, OWNER};
pub use keys::LocalKeys;
pub(crate) use keys::{
    ASSERTION_KEYS, INDEX_KEY, create_index_key, create_signing_key, not_lost, open_index_key,
    open_signing_key, prepare, present,
};
pub use verify::{KeyReport, verify};
pub(crate) use verify::{MAX_PROBLEMS, PROGRESS_INTERVAL, other_problems};
