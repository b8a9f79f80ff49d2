//! Announces a delivery for every event that a user must be told about.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use countersign_core::DeliveryId;
use countersign_crypto::Sealed;
use countersign_domain::delivery::{Command, DeliveryRequested, State};
use countersign_eventsourcing::{Filter, Poison, Reactor, RecordedEvent, Source};
use countersign_keys::VaultError;
use countersign_service::{Foundation, PassedOver, User, seals};
use uuid::Uuid;

use super::{
    account::Account,
    notice::{self, Notice},
    request,
};
use crate::{
    course,
    trouble::{Trouble, settle},
};

/// Names deliveries after the event that causes them (RFC 9562 section 5.5); never changes, or an event seen again
/// would be told again.
const DELIVERIES: Uuid = Uuid::from_u128(0xd18a_4c03_7be2_4955_8f6d_3091_ae5c_b764);

/// Nobody can be told: no event that can be read says who the user is.
#[derive(Debug, thiserror::Error)]
#[error("no event of the user's authenticators names the user")]
struct NobodyNamed;

/// Follows users' authenticators and throttles, and announces what the users must be told. Seeing an event again
/// announces nothing new; a user who was erased is told nothing.
#[derive(Debug)]
pub struct AccountNotices {
    foundation: Arc<Foundation>,
    passed_over: PassedOver,
}

impl AccountNotices {
    /// Makes the reactor over a foundation.
    #[must_use]
    pub fn new(foundation: Arc<Foundation>) -> Self {
        Self { foundation, passed_over: PassedOver::default() }
    }

    /// Returns what was passed over because it cannot be read or acted upon.
    #[must_use]
    pub const fn passed_over(&self) -> &PassedOver {
        &self.passed_over
    }

    async fn announce(&self, recorded: &RecordedEvent) -> Result<(), Trouble> {
        let Some(notice) = notice::read(recorded)? else { return Ok(()) };
        let user = User::of(&recorded.stream)?;
        let delivery_id = Uuid::new_v5(&DELIVERIES, recorded.event.id.as_bytes());
        let delivery_id = DeliveryId::new(delivery_id);
        let stream = course::stream(&user.tenant, delivery_id);
        match self.foundation.deliveries.load(&stream).await?.state {
            State::Unknown => {}
            State::Requested | State::Finished => return Ok(()),
        }
        let account = Account::read(&self.foundation.log, &user, notice.authenticator_id).await?;
        let Some(recipient) = self.recipient(&user, &account).await? else { return Ok(()) };
        let command = Command::Request(DeliveryRequested {
            delivery_id,
            template: notice.template.into(),
            recipient,
            values: values(notice, &account),
            requested_at: self.foundation.now(),
        });
        let request = request(&self.foundation, "announce", recorded);
        self.foundation.deliveries.execute(&stream, &request, command).await?;
        Ok(())
    }

    /// Seals the user's id for the delivery; `None` if the user was erased.
    async fn recipient(&self, user: &User, account: &Account) -> Result<Option<Sealed>, Trouble> {
        let vault = &self.foundation.vault;
        let sealed = account.user_id.as_ref().ok_or_else(|| Trouble::lasting(NobodyNamed))?;
        let User { tenant, key } = user;
        let resealed = match vault.unseal(tenant, *key, seals::USER_ID, sealed).await {
            Ok(id) => vault.seal(tenant, *key, seals::RECIPIENT, id.expose()).await,
            Err(error) => Err(error),
        };
        match resealed {
            Ok(recipient) => Ok(Some(recipient)),
            Err(VaultError::Erased) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// What the template may name. Never a secret.
fn values(notice: Notice, account: &Account) -> BTreeMap<String, String> {
    let mut values = BTreeMap::new();
    values.insert("authenticator_id".to_owned(), notice.authenticator_id.to_string());
    if let Some(kind) = &account.kind {
        values.insert("kind".to_owned(), kind.to_string());
    }
    values
}

#[async_trait]
impl Reactor for AccountNotices {
    fn name(&self) -> &'static str {
        "account-notices.1"
    }

    fn filter(&self) -> Filter {
        notice::filter()
    }

    async fn react(&self, event: &RecordedEvent) -> Result<(), Source> {
        let outcome = self.announce(event).await;
        settle(&self.passed_over, self.name(), event, outcome)
    }

    async fn poisoned(&self, poison: &Poison) {
        self.passed_over.note_poison(self.name(), poison);
    }
}
