//! Key-encryption keys and the data-key store that can delete
