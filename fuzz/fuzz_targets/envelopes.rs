//! Stored envelopes: nothing is taken whose checksum is wrong, and what was read is written so that it reads the same.

#![no_main]

use countersign_eventlog::envelope::{decode, encode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // The corpus is without checksums, for nobody guesses one.
    let checksum = crc32c::crc32c(bytes);
    let whole = [bytes, &checksum.to_be_bytes()].concat();
    let altered = [bytes, &(checksum ^ 1).to_be_bytes()].concat();
    assert!(decode(&altered).is_err());
    if let Ok(event) = decode(&whole) {
        let encoded = encode(&event);
        assert_eq!(decode(&encoded).as_ref(), Ok(&event));
        // Numbers can be written longer than need be, and are never written so.
        assert!(encoded.len() <= whole.len());
    }
});
