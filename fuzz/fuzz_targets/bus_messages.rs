//! Messages of the bus: what is an event comes back exactly, and no name or value reaches further than its own place.

#![no_main]

use async_nats::{HeaderMap, HeaderName, HeaderValue};
use bytes::Bytes;
use countersign_bus::{
    fuzzing::{escape, subject, unescape},
    headers_of, rebuild,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let escaped = escape(text);
    assert!(escaped.bytes().all(|byte| byte.is_ascii_graphic()));
    assert_eq!(unescape(&escaped).as_deref(), Some(text));
    if let Some(read) = unescape(text) {
        assert_eq!(unescape(&escape(&read)), Some(read));
    }

    // As NATS has them: a header a line, an empty line, the payload.
    let (head, payload) = text.split_once("\n\n").unwrap_or((text, ""));
    let mut headers = HeaderMap::new();
    for line in head.lines() {
        let Some((name, value)) = line.split_once(": ") else { continue };
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse::<HeaderValue>()) {
            headers.append(name, value);
        }
    }
    let payload = Bytes::copy_from_slice(payload.as_bytes());
    let Ok((log, event)) = rebuild(Some(&headers), &payload) else { return };
    let written = headers_of(log, &event);
    let subject = subject(&event.stream, &event.event.event_type);
    assert_eq!(subject.split('.').filter(|token| !token.is_empty()).count(), 4, "{subject}");
    assert!(!subject.contains(['*', '>', ' ', '\r', '\n']), "{subject}");
    assert_eq!(rebuild(Some(&written), &payload), Ok((log, event)));
});
