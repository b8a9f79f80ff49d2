//! Messages of every request: whatever bytes a stranger sends, what was read is written so that it reads the same.

#![no_main]

use std::fmt::Debug;

use libfuzzer_sys::fuzz_target;
use prost::Message;

include!(concat!(env!("OUT_DIR"), "/requests.rs"));

fuzz_target!(|bytes: &[u8]| {
    every_request!(comes_back, bytes);
});

fn comes_back<M: Message + Default + Debug + PartialEq>(bytes: &[u8]) {
    if let Ok(message) = M::decode(bytes) {
        let encoded = message.encode_to_vec();
        assert_eq!(encoded.len(), message.encoded_len());
        assert_eq!(M::decode(&*encoded).as_ref(), Ok(&message));
    }
}
