//! Ids and names: what is taken is shown as it was given, and reads the same.

#![no_main]

use std::fmt::{Debug, Display};

use countersign_core::{
    ApplicationId, ChallengeId, KeyId, RequestId, TenantId, Timestamp, UserId, UserKey,
};
use countersign_eventsourcing::StreamId;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    verbatim(text, ApplicationId::parse);
    verbatim(text, KeyId::parse);
    verbatim(text, RequestId::parse);
    verbatim(text, TenantId::parse);
    verbatim(text, str::parse::<UserKey>);
    if let Ok(user) = UserId::parse(text) {
        assert_eq!(user.expose(), text);
        assert!(!text.chars().any(char::is_control));
    }
    if let Ok(id) = ChallengeId::parse(text) {
        assert_eq!(id.to_string(), text.to_ascii_lowercase());
    }
    if let Ok(instant) = text.parse::<Timestamp>() {
        assert_eq!(instant.to_string().parse::<Timestamp>().ok(), Some(instant));
    }
    if let Ok(stream) = text.parse::<StreamId>() {
        assert_eq!(stream.as_str(), text);
        assert!(text.len() <= StreamId::MAX_LEN);
        let tenant = TenantId::parse(stream.tenant()).expect("a stream's tenant is one");
        assert_eq!(StreamId::new(stream.category(), &tenant, stream.key()), Ok(stream));
    }
});

fn verbatim<T: Debug + Display + PartialEq, E: Debug>(
    text: &str,
    parse: impl Fn(&str) -> Result<T, E>,
) {
    if let Ok(value) = parse(text) {
        assert_eq!(value.to_string(), text);
    }
}
