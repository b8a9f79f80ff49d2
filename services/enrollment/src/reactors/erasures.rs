//! Destroys the data keys of users who were erased, should whoever erased them not have come to it.

use std::sync::Arc;

use async_trait::async_trait;
use countersign_domain::user_authenticators::UserAuthenticators;
use countersign_eventsourcing::{Decider as _, Filter, Poison, Reactor, RecordedEvent, Source};
use countersign_keys::VaultError;
use countersign_service::{Foundation, PassedOver, User};

/// Follows `UserErased`, and destroys the user's data key. Seeing an event again does nothing more.
#[derive(Debug)]
pub struct Erasures {
    foundation: Arc<Foundation>,
    passed_over: PassedOver,
}

impl Erasures {
    /// Makes the reactor over a foundation.
    #[must_use]
    pub fn new(foundation: Arc<Foundation>) -> Self {
        Self { foundation, passed_over: PassedOver::default() }
    }

    /// Returns what was passed over because it cannot be acted upon.
    #[must_use]
    pub const fn passed_over(&self) -> &PassedOver {
        &self.passed_over
    }
}

#[async_trait]
impl Reactor for Erasures {
    fn name(&self) -> &'static str {
        "erasures.1"
    }

    fn filter(&self) -> Filter {
        Filter {
            event_types: vec!["UserErased".to_owned()],
            ..Filter::category(UserAuthenticators::CATEGORY)
        }
    }

    async fn react(&self, event: &RecordedEvent) -> Result<(), Source> {
        let user = match User::of(&event.stream) {
            Ok(user) => user,
            Err(error) => {
                self.passed_over.note_event(self.name(), event, &error);
                return Ok(());
            }
        };
        match self.foundation.vault.erase(&user.tenant, user.key).await {
            Ok(()) | Err(VaultError::Erased) => Ok(()),
            // It begins again at this event.
            Err(error @ (VaultError::Unavailable(_) | VaultError::Superseded)) => {
                Err(Arc::new(error))
            }
            Err(error @ VaultError::Damaged(_)) => {
                self.passed_over.note_event(self.name(), event, &error);
                Ok(())
            }
        }
    }

    async fn poisoned(&self, poison: &Poison) {
        self.passed_over.note_poison(self.name(), poison);
    }
}
