//! Every event of every aggregate, for whoever looks at the log as a whole.

use bytes::Bytes;
use countersign_eventsourcing::{Decider as _, DecodeError, EventCodec as _};

use crate::{
    approval::Approval, delivery::Delivery, keyring::Keyring, tenant::Tenant,
    user_authenticators::UserAuthenticators, user_challenges::UserChallenges,
    user_sign_ins::UserSignIns,
};

/// The events of one aggregate.
#[derive(Clone, Copy, Debug)]
pub struct Aggregate {
    /// Category of its streams.
    pub category: &'static str,
    /// Its event types, each with its newest schema version.
    pub event_types: &'static [(&'static str, u32)],
}

/// The aggregates.
pub const AGGREGATES: &[Aggregate] = &[
    Aggregate { category: Tenant::CATEGORY, event_types: Tenant::EVENT_TYPES },
    Aggregate {
        category: UserAuthenticators::CATEGORY,
        event_types: UserAuthenticators::EVENT_TYPES,
    },
    Aggregate { category: UserChallenges::CATEGORY, event_types: UserChallenges::EVENT_TYPES },
    Aggregate { category: UserSignIns::CATEGORY, event_types: UserSignIns::EVENT_TYPES },
    Aggregate { category: Delivery::CATEGORY, event_types: Delivery::EVENT_TYPES },
    Aggregate { category: Approval::CATEGORY, event_types: Approval::EVENT_TYPES },
    Aggregate { category: Keyring::CATEGORY, event_types: Keyring::EVENT_TYPES },
];

/// Says whether a stored event of a stream of `category` can be read by this release.
///
/// # Errors
/// Says that its type is unknown there, or its payload bad.
pub fn check(
    category: &str,
    event_type: &str,
    schema_version: u32,
    payload: &Bytes,
) -> Result<(), DecodeError> {
    match category {
        Tenant::CATEGORY => Tenant::decode(event_type, schema_version, payload).map(drop),
        UserAuthenticators::CATEGORY => {
            UserAuthenticators::decode(event_type, schema_version, payload).map(drop)
        }
        UserChallenges::CATEGORY => {
            UserChallenges::decode(event_type, schema_version, payload).map(drop)
        }
        UserSignIns::CATEGORY => UserSignIns::decode(event_type, schema_version, payload).map(drop),
        Delivery::CATEGORY => Delivery::decode(event_type, schema_version, payload).map(drop),
        Approval::CATEGORY => Approval::decode(event_type, schema_version, payload).map(drop),
        Keyring::CATEGORY => Keyring::decode(event_type, schema_version, payload).map(drop),
        _ => Err(DecodeError::UnknownType { event_type: event_type.to_owned(), schema_version }),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_aggregates_share_a_category_or_an_event_type() {
        let categories: BTreeSet<_> = AGGREGATES.iter().map(|a| a.category).collect();
        assert_eq!(categories.len(), AGGREGATES.len());
        let all = || AGGREGATES.iter().flat_map(|a| a.event_types);
        let types: BTreeSet<_> = all().map(|(event_type, _)| event_type).collect();
        assert_eq!(types.len(), all().count());
    }

    #[test]
    fn an_event_is_looked_for_among_those_of_its_own_aggregate() {
        let empty = Bytes::new();
        for aggregate in AGGREGATES {
            for (event_type, version) in aggregate.event_types {
                // Empty bytes are a message without fields: known at home, and unknown elsewhere.
                let known = check(aggregate.category, event_type, *version, &empty);
                assert!(!matches!(known, Err(DecodeError::UnknownType { .. })), "{event_type}");
                let elsewhere = check("elsewhere", event_type, *version, &empty);
                assert!(matches!(elsewhere, Err(DecodeError::UnknownType { .. })));
            }
        }
    }
}
