//! The types of events, and the messages that their payloads are.

use std::{collections::BTreeSet, sync::LazyLock};

use countersign_domain::{
    approval::Approval, delivery::Delivery, keyring::Keyring, tenant::Tenant,
    user_authenticators::UserAuthenticators, user_challenges::UserChallenges,
    user_sign_ins::UserSignIns,
};
use countersign_proto::FILE_DESCRIPTOR_SET;
use prost::Message as _;

/// Package of the payloads' messages.
const PACKAGE: &str = "countersign.event.v1";

/// Names of the messages of [`PACKAGE`]. The descriptors are built in; without them the test below fails.
static MESSAGES: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let schema = prost_types::FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).unwrap_or_default();
    let ours = schema.file.into_iter().filter(|file| file.package() == PACKAGE);
    ours.flat_map(|file| file.message_type).filter_map(|message| message.name).collect()
});

/// Returns every type of event of every aggregate, with the newest version of its schema.
#[must_use]
pub fn event_types() -> Vec<(&'static str, u32)> {
    [
        UserAuthenticators::EVENT_TYPES,
        UserChallenges::EVENT_TYPES,
        UserSignIns::EVENT_TYPES,
        Tenant::EVENT_TYPES,
        Delivery::EVENT_TYPES,
        Approval::EVENT_TYPES,
        Keyring::EVENT_TYPES,
    ]
    .concat()
}

/// Returns whether events of type `event_type` may be in the log.
pub(crate) fn is_event_type(event_type: &str) -> bool {
    event_types().iter().any(|(known, _)| *known == event_type)
}

/// Returns the type of a payload as `google.protobuf.Any` names it.
///
/// The newest version of an event has the message of its own name. When a newer one takes that name, the older is kept
/// under its version: `AttemptFailed` of version 1 is `AttemptFailedV1`. A version that this release does not know has
/// been written by a newer one, in which it bears the plain name.
pub(crate) fn payload_type_url(event_type: &str, schema_version: u32) -> String {
    let older = format!("{event_type}V{schema_version}");
    let message = if MESSAGES.contains(&older) { &older } else { event_type };
    format!("type.googleapis.com/{PACKAGE}.{message}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_aggregates_have_an_event_of_the_same_name() {
        let types = event_types();
        let names: BTreeSet<_> = types.iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), types.len());
        assert!(is_event_type("ChallengeVerified") && !is_event_type("ChallengeGuessed"));
    }

    #[test]
    fn every_version_of_every_event_has_a_message_of_its_own() {
        for (event_type, newest) in event_types() {
            let mut seen = BTreeSet::new();
            for version in 1..=newest {
                let url = payload_type_url(event_type, version);
                let name = url.strip_prefix("type.googleapis.com/countersign.event.v1.").unwrap();
                assert!(MESSAGES.contains(name), "{event_type} version {version}: {name}");
                assert!(seen.insert(name.to_owned()), "{event_type} version {version}: {name}");
            }
            assert!(seen.contains(event_type), "{event_type} has lost its plain name");
        }
    }

    #[test]
    fn an_older_version_is_the_message_that_its_bytes_were_written_as() {
        let name = |version| payload_type_url("AttemptFailed", version);
        assert_eq!(name(1), "type.googleapis.com/countersign.event.v1.AttemptFailedV1");
        assert_eq!(name(2), "type.googleapis.com/countersign.event.v1.AttemptFailed");
        assert_eq!(name(3), "type.googleapis.com/countersign.event.v1.AttemptFailed");
    }
}
