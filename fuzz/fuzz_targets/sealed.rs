//! Sealed values: they open where they belong, and nothing else opens.

#![no_main]

use countersign_core::Rng;
use countersign_crypto::{DataKey, OpenError, open_bytes, seal_bytes};
use countersign_fuzz::{Counting, Parts};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut parts = Parts::new(bytes);
    let key = DataKey::from_bytes([parts.byte(); 32]);
    let (flip, associated, plaintext) = (parts.byte(), parts.part(), parts.part());
    let sealed = seal_bytes(&key, associated, plaintext, &Counting::default());
    let opened = open_bytes(&key, associated, &sealed).expect("what was sealed opens");
    assert_eq!(opened.expose(), plaintext);

    let mut altered = sealed.clone();
    let at = usize::from(flip) % altered.len();
    altered[at] ^= 1 << (flip % 8);
    assert_eq!(open_bytes(&key, associated, &altered), Err(OpenError));
    assert_eq!(open_bytes(&key, &[associated, b"."].concat(), &sealed), Err(OpenError));
    // The fuzzer sees what tags are compared with, and so can make one: then of nothing else than what it opens to.
    let foreign = parts.rest();
    if let Ok(opened) = open_bytes(&key, associated, foreign) {
        assert_eq!(seal_bytes(&key, associated, opened.expose(), &Given(foreign)), foreign);
    }
});

/// Chance that gives what it was given.
struct Given<'a>(&'a [u8]);

impl Rng for Given<'_> {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.copy_from_slice(&self.0[..bytes.len()]);
    }
}
