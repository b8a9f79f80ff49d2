//! Translation of events between domain words and the stored schema.

use countersign_proto::event as wire;

use super::{Delivery, DeliveryFailed, DeliveryRequested, DeliverySent, Event};
use crate::wire::{
    BadPayload, delivery_id, event_codec, required_sealed, required_timestamp, sealed_to_wire,
    timestamp_to_wire,
};

event_codec!(Delivery, state version 1, {
    DeliveryRequested v 1,
    DeliverySent v 1,
    DeliveryFailed v 1,
});

impl From<&DeliveryRequested> for wire::DeliveryRequested {
    fn from(event: &DeliveryRequested) -> Self {
        Self {
            delivery_id: event.delivery_id.to_string(),
            template: event.template.to_string(),
            recipient: Some(sealed_to_wire(&event.recipient)),
            values: event.values.clone(),
            requested_at: Some(timestamp_to_wire(event.requested_at)),
        }
    }
}

impl TryFrom<wire::DeliveryRequested> for DeliveryRequested {
    type Error = BadPayload;

    fn try_from(event: wire::DeliveryRequested) -> Result<Self, BadPayload> {
        Ok(Self {
            delivery_id: delivery_id(&event.delivery_id, "delivery_id")?,
            template: event.template.into(),
            recipient: required_sealed(event.recipient, "recipient")?,
            values: event.values,
            requested_at: required_timestamp(event.requested_at.as_ref(), "requested_at")?,
        })
    }
}

impl From<&DeliverySent> for wire::DeliverySent {
    fn from(event: &DeliverySent) -> Self {
        Self {
            delivery_id: event.delivery_id.to_string(),
            provider: event.provider.to_string(),
            sent_at: Some(timestamp_to_wire(event.sent_at)),
        }
    }
}

impl TryFrom<wire::DeliverySent> for DeliverySent {
    type Error = BadPayload;

    fn try_from(event: wire::DeliverySent) -> Result<Self, BadPayload> {
        Ok(Self {
            delivery_id: delivery_id(&event.delivery_id, "delivery_id")?,
            provider: event.provider.into(),
            sent_at: required_timestamp(event.sent_at.as_ref(), "sent_at")?,
        })
    }
}

impl From<&DeliveryFailed> for wire::DeliveryFailed {
    fn from(event: &DeliveryFailed) -> Self {
        Self {
            delivery_id: event.delivery_id.to_string(),
            provider: event.provider.to_string(),
            reason: event.reason.clone(),
            failed_at: Some(timestamp_to_wire(event.failed_at)),
        }
    }
}

impl TryFrom<wire::DeliveryFailed> for DeliveryFailed {
    type Error = BadPayload;

    fn try_from(event: wire::DeliveryFailed) -> Result<Self, BadPayload> {
        Ok(Self {
            delivery_id: delivery_id(&event.delivery_id, "delivery_id")?,
            provider: event.provider.into(),
            reason: event.reason,
            failed_at: required_timestamp(event.failed_at.as_ref(), "failed_at")?,
        })
    }
}
