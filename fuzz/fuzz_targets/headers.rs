//! What callers send beside a message: their key, the time that they have, and their trace.

#![no_main]

use std::time::Duration;

use countersign_service::{
    fuzzing::{grpc_timeout, is_traceparent},
    keys::ApiKeySecret,
};
use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;

/// Eight digits of hours (the gRPC protocol, "Timeout").
const LONGEST: Duration = Duration::from_secs(99_999_999 * 3_600);

fuzz_target!(|text: &str| {
    if let Some(key) = ApiKeySecret::parse(text) {
        assert_eq!(key.reveal().expose(), text);
        let secret = text.rsplit('.').next().expect("a text has an end");
        assert!(!format!("{key:?}").contains(secret));
    }
    if let Ok(value) = HeaderValue::from_str(text) {
        let mut headers = HeaderMap::new();
        headers.insert("grpc-timeout", value);
        if let Some(timeout) = grpc_timeout(&headers) {
            assert!(timeout <= LONGEST && (2..=9).contains(&text.len()));
        }
    }
    if is_traceparent(text) {
        assert_eq!(text.len(), 55);
        assert!(HeaderValue::from_str(text).is_ok());
    }
});
