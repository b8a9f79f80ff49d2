//! The read model of who was erased.

use std::collections::HashSet;

use async_trait::async_trait;
use countersign_core::UserKey;
use countersign_domain::{
    approval::{self, Approval},
    delivery::{Delivery, Event},
    user_authenticators::UserAuthenticators,
    user_challenges::UserChallenges,
    user_sign_ins::UserSignIns,
};
use countersign_eventsourcing::{
    Decider as _, EventCodec as _, Filter, Poison, Projection, RecordedEvent, Source,
};
use countersign_service::{PassedOver, User};
use parking_lot::RwLock;

/// Who was erased, so that a replay can say what nobody can read any more; some 20 bytes for each.
#[derive(Debug, Default)]
pub struct ErasedUsers {
    /// A user's key stands for the tenant too.
    users: RwLock<HashSet<UserKey>>,
    passed_over: PassedOver,
}

impl ErasedUsers {
    /// Returns what was passed over because it cannot be read.
    #[must_use]
    pub const fn passed_over(&self) -> &PassedOver {
        &self.passed_over
    }

    /// Returns whether `recorded` is about a user who was erased.
    pub(crate) fn concerns(&self, recorded: &RecordedEvent) -> bool {
        let users = self.users.read();
        !users.is_empty() && user_of(recorded).is_some_and(|user| users.contains(&user))
    }
}

/// Returns whom an event is about; a delivery tells by the key that its recipient is sealed with.
fn user_of(recorded: &RecordedEvent) -> Option<UserKey> {
    match recorded.stream.category() {
        UserAuthenticators::CATEGORY | UserChallenges::CATEGORY | UserSignIns::CATEGORY => {
            recorded.stream.key().parse().ok()
        }
        Delivery::CATEGORY => {
            let event = &recorded.event;
            let read = Delivery::decode(&event.event_type, event.schema_version, &event.payload);
            let Ok(Event::DeliveryRequested(requested)) = read else { return None };
            sealed_for(recorded.stream.tenant(), &requested.recipient.key_id)
        }
        Approval::CATEGORY => {
            let event = &recorded.event;
            let read = Approval::decode(&event.event_type, event.schema_version, &event.payload);
            let Ok(approval::Event::ApprovalRequested(requested)) = read else { return None };
            sealed_for(recorded.stream.tenant(), &requested.user_id?.key_id)
        }
        _ => None,
    }
}

fn sealed_for(tenant: &str, key_id: &str) -> Option<UserKey> {
    key_id.strip_prefix(tenant)?.strip_prefix('.')?.parse().ok()
}

#[async_trait]
impl Projection for ErasedUsers {
    fn name(&self) -> &'static str {
        "erased-users.1"
    }

    fn filter(&self) -> Filter {
        Filter {
            event_types: vec!["UserErased".to_owned()],
            ..Filter::category(UserAuthenticators::CATEGORY)
        }
    }

    async fn apply(&self, event: &RecordedEvent) -> Result<(), Source> {
        match User::of(&event.stream) {
            Ok(User { key, .. }) => {
                self.users.write().insert(key);
            }
            Err(error) => self.passed_over.note_event(self.name(), event, &error),
        }
        Ok(())
    }

    async fn poisoned(&self, poison: &Poison) {
        self.passed_over.note_poison(self.name(), poison);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use countersign_core::{DeliveryId, TenantId, Timestamp};
    use countersign_crypto::Sealed;
    use countersign_domain::delivery::{DeliveryRequested, DeliverySent};
    use countersign_eventsourcing::{
        EncodedEvent, Metadata, NewEvent, Position, Revision, StreamId,
    };
    use uuid::Uuid;

    use super::*;

    const DELIVERY: DeliveryId = DeliveryId::new(Uuid::from_u128(0xd1));

    fn recorded(category: &str, key: &str, encoded: EncodedEvent) -> RecordedEvent {
        let id = Uuid::from_u128(1);
        let metadata = Metadata {
            recorded_at: Timestamp::EPOCH,
            correlation_id: id,
            causation_id: id,
            requester: "test".into(),
            traceparent: "".into(),
            request_digest: 0,
        };
        RecordedEvent {
            stream: StreamId::new(category, &TenantId::parse("acme").unwrap(), key).unwrap(),
            revision: Revision::START,
            position: Position(1),
            event: NewEvent {
                id,
                event_type: encoded.event_type.into(),
                schema_version: encoded.schema_version,
                payload: encoded.payload,
                metadata,
            },
        }
    }

    fn of_user(category: &str, user: u8) -> RecordedEvent {
        let encoded =
            EncodedEvent { event_type: "Any", schema_version: 1, payload: bytes::Bytes::new() };
        recorded(category, &UserKey::new([user; 16]).to_string(), encoded)
    }

    fn delivery(key_id: &str) -> RecordedEvent {
        let event = Event::DeliveryRequested(DeliveryRequested {
            delivery_id: DELIVERY,
            template: "authenticator_enrolled".into(),
            recipient: Sealed { key_id: key_id.into(), ciphertext: vec![1] },
            values: BTreeMap::new(),
            requested_at: Timestamp::EPOCH,
        });
        recorded(Delivery::CATEGORY, &DELIVERY.to_string(), Delivery::encode(&event))
    }

    async fn erased(user: u8) -> ErasedUsers {
        let erased = ErasedUsers::default();
        erased.apply(&of_user(UserAuthenticators::CATEGORY, user)).await.unwrap();
        erased
    }

    #[tokio::test]
    async fn every_stream_of_an_erased_user_is_told_from_those_of_others() {
        let erased = erased(7).await;
        let categories =
            [UserAuthenticators::CATEGORY, UserChallenges::CATEGORY, UserSignIns::CATEGORY];
        for category in categories {
            assert!(erased.concerns(&of_user(category, 7)), "{category}");
            assert!(!erased.concerns(&of_user(category, 8)), "{category}");
        }
        assert!(!ErasedUsers::default().concerns(&of_user(UserChallenges::CATEGORY, 7)));
    }

    #[tokio::test]
    async fn a_delivery_is_known_by_the_key_that_its_recipient_is_sealed_with() {
        let erased = erased(7).await;
        let key = |user: u8| UserKey::new([user; 16]);
        assert!(erased.concerns(&delivery(&format!("acme.{}", key(7)))));
        assert!(!erased.concerns(&delivery(&format!("acme.{}", key(8)))));
        for odd in [format!("globex.{}", key(7)), "acme.".to_owned(), String::new()] {
            assert!(!erased.concerns(&delivery(&odd)), "{odd}");
        }
        let sent = Event::DeliverySent(DeliverySent {
            delivery_id: DELIVERY,
            provider: "log".into(),
            sent_at: Timestamp::EPOCH,
        });
        let sent = recorded(Delivery::CATEGORY, &DELIVERY.to_string(), Delivery::encode(&sent));
        assert!(!erased.concerns(&sent));
    }
}
