//! Hands announced deliveries to the provider, and records what came of it.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use countersign_core::{Chain, DeliveryId, TenantId};
use countersign_domain::delivery::{
    Command, Delivery, DeliveryFailed, DeliveryRequested, DeliverySent, Event, State,
};
use countersign_eventsourcing::{
    Decider as _, EventCodec as _, Filter, Poison, Reactor, RecordedEvent, Source,
};
use countersign_keys::VaultError;
use countersign_providers::{Cause, Message, Messenger, Receipt, SendError};
use countersign_service::{Foundation, PassedOver};
use tokio::sync::Mutex;

use super::{message, request};
use crate::trouble::{Trouble, settle};

/// How often a message is offered to a provider that cannot take it for now.
const MAX_TRIES: u32 = 5;

/// How long a provider may take to answer. Without a bound, one that hangs would hold up every other message.
const ANSWER_TIME: Duration = Duration::from_secs(30);

/// Follows deliveries, and sends what is announced.
///
/// An event may be seen again after a crash. A delivery that is finished is then left alone; one whose end did not
/// reach the log is sent once more, under the same delivery id, by which a provider can know it.
pub struct DeliverySender {
    foundation: Arc<Foundation>,
    messenger: Arc<dyn Messenger>,
    /// Held while a delivery is dealt with: they are sent one at a time, in the order of the log.
    in_hand: Mutex<InHand>,
    passed_over: PassedOver,
}

/// The delivery that is being dealt with, across returns of the follower to it.
#[derive(Debug, Default)]
struct InHand {
    delivery_id: Option<DeliveryId>,
    tries: u32,
    /// How it ended, while the log does not hold that yet: nothing is sent twice because the log was away.
    end: Option<Command>,
}

impl fmt::Debug for DeliverySender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeliverySender")
            .field("messenger", &self.messenger.name())
            .finish_non_exhaustive()
    }
}

impl DeliverySender {
    /// Makes the reactor over a foundation and a provider.
    #[must_use]
    pub fn new(foundation: Arc<Foundation>, messenger: Arc<dyn Messenger>) -> Self {
        Self {
            foundation,
            messenger,
            in_hand: Mutex::default(),
            passed_over: PassedOver::default(),
        }
    }

    /// Returns what was passed over because it cannot be read or acted upon.
    #[must_use]
    pub const fn passed_over(&self) -> &PassedOver {
        &self.passed_over
    }

    async fn deliver(&self, recorded: &RecordedEvent) -> Result<(), Trouble> {
        let event = &recorded.event;
        let event = Delivery::decode(&event.event_type, event.schema_version, &event.payload)?;
        let Event::DeliveryRequested(requested) = event else { return Ok(()) };
        let mut in_hand = self.in_hand.lock().await;
        let stream = &recorded.stream;
        match self.foundation.deliveries.load(stream).await?.state {
            State::Requested => {}
            State::Unknown | State::Finished => return Ok(()),
        }
        if in_hand.delivery_id != Some(requested.delivery_id) {
            *in_hand = InHand { delivery_id: Some(requested.delivery_id), ..InHand::default() };
        }
        let end = match &in_hand.end {
            Some(end) => end.clone(),
            None => {
                let tenant = TenantId::parse(stream.tenant())?;
                let end = self.send(&tenant, &requested, &mut in_hand.tries).await?;
                in_hand.end.insert(end).clone()
            }
        };
        let request = request(&self.foundation, "record", recorded);
        self.foundation.deliveries.execute(stream, &request, end).await?;
        *in_hand = InHand::default();
        Ok(())
    }

    /// Sends a message and says how that ended; passing trouble if it shall be tried again.
    async fn send(
        &self,
        tenant: &TenantId,
        requested: &DeliveryRequested,
        tries: &mut u32,
    ) -> Result<Command, Trouble> {
        let delivery_id = requested.delivery_id;
        let message = match message::open(&self.foundation.vault, tenant, requested).await {
            Ok(message) => message,
            Err(error @ (VaultError::Unavailable(_) | VaultError::Superseded)) => {
                return Err(error.into());
            }
            Err(error @ (VaultError::Erased | VaultError::Damaged(_))) => {
                tracing::warn!(%delivery_id, error = %Chain(&error), "delivery failed");
                let reason = format!("the recipient cannot be read: {error}");
                return Ok(self.failed(delivery_id, reason));
            }
        };
        *tries += 1;
        match self.hand_over(&message).await {
            Ok(receipt) => {
                let reference = receipt.reference.as_deref();
                tracing::info!(%delivery_id, provider = self.messenger.name(), reference, "delivery sent");
                Ok(self.sent(delivery_id))
            }
            Err(error @ SendError::Retry(_)) if *tries < MAX_TRIES => Err(Trouble::passing(error)),
            Err(error) => {
                tracing::warn!(%delivery_id, error = %Chain(&error), "delivery failed");
                Ok(self.failed(delivery_id, format!("{error}: {}", error.cause())))
            }
        }
    }

    async fn hand_over(&self, message: &Message) -> Result<Receipt, SendError> {
        if !self.messenger.channels().contains(&message.channel) {
            let what = format!("it does not serve the channel `{}`", message.channel);
            return Err(SendError::Misconfigured(Cause::new(what)));
        }
        let answer = tokio::time::timeout(ANSWER_TIME, self.messenger.send(message)).await;
        answer.unwrap_or_else(|_| {
            let what = format!("no answer within {} s", ANSWER_TIME.as_secs());
            Err(SendError::Unknown(Cause::new(what)))
        })
    }

    fn sent(&self, delivery_id: DeliveryId) -> Command {
        let provider = self.messenger.name().into();
        Command::RecordSent(DeliverySent { delivery_id, provider, sent_at: self.foundation.now() })
    }

    fn failed(&self, delivery_id: DeliveryId, reason: String) -> Command {
        Command::RecordFailed(DeliveryFailed {
            delivery_id,
            provider: self.messenger.name().into(),
            reason,
            failed_at: self.foundation.now(),
        })
    }
}

#[async_trait]
impl Reactor for DeliverySender {
    fn name(&self) -> &'static str {
        "delivery-sender.1"
    }

    fn filter(&self) -> Filter {
        Filter {
            event_types: vec!["DeliveryRequested".to_owned()],
            ..Filter::category(Delivery::CATEGORY)
        }
    }

    async fn react(&self, event: &RecordedEvent) -> Result<(), Source> {
        let outcome = self.deliver(event).await;
        settle(&self.passed_over, self.name(), event, outcome)
    }

    async fn poisoned(&self, poison: &Poison) {
        self.passed_over.note_poison(self.name(), poison);
    }
}
