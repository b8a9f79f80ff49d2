//! Certificates of those who call: whom one stands for is what it says and one way of writing it.

#![no_main]

use countersign_tls::{SpiffeId, identity_of};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(Some(identity)) = identity_of(bytes) {
        let id = identity.spiffe_id();
        assert_eq!(SpiffeId::parse(id.as_str()).as_ref(), Ok(id));
        assert!(bytes.windows(id.as_str().len()).any(|part| part == id.as_str().as_bytes()));
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(id) = SpiffeId::parse(text) {
        assert_eq!(id.to_string(), text);
        assert_eq!(format!("spiffe://{}{}", id.trust_domain(), id.path()), text);
        assert!(!text.contains("..") || id.path().split('/').all(|segment| segment != ".."));
    }
});
