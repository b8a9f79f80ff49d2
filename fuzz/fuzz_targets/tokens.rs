//! Tokens, key sets and discovery documents of issuers: none is too odd to be refused.

#![no_main]

use countersign_identity::{Address, read_unverified};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    read_unverified(bytes);
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(address) = text.parse::<Address>() {
        assert_eq!(address.to_string().parse::<Address>(), Ok(address));
    }
});
