//! Sealing, keyed hashes and constant-time comparison
