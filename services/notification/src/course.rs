//! The course of one delivery: announced, then sent or failed. What both the API and the read model show.

use std::sync::Arc;

use countersign_core::{DeliveryId, TenantId, Timestamp};
use countersign_domain::delivery::{Delivery, Event};
use countersign_eventsourcing::{
    Corruption, Decider as _, EventCodec as _, EventLog, ReadError, Revision, StreamId,
};
use futures_util::TryStreamExt as _;

/// The course of a delivery so far.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Course {
    pub(crate) id: DeliveryId,
    pub(crate) template: Box<str>,
    pub(crate) requested_at: Timestamp,
    pub(crate) end: Option<End>,
}

/// How a delivery ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct End {
    pub(crate) provider: Box<str>,
    pub(crate) at: Timestamp,
    /// Why it failed; `None` if a provider took it.
    pub(crate) failure: Option<String>,
}

/// Names the stream of a delivery.
#[expect(clippy::expect_used, reason = "the category is a constant and the key a UUID")]
pub(crate) fn stream(tenant: &TenantId, id: DeliveryId) -> StreamId {
    StreamId::new(Delivery::CATEGORY, tenant, &id.to_string()).expect("category and key are plain")
}

impl Course {
    /// Follows `event`. One that ends a delivery of which the beginning is not known tells too little.
    pub(crate) fn evolve(course: Option<Self>, event: Event) -> Option<Self> {
        let end = match event {
            Event::DeliveryRequested(requested) => {
                return course.or(Some(Self {
                    id: requested.delivery_id,
                    template: requested.template,
                    requested_at: requested.requested_at,
                    end: None,
                }));
            }
            Event::DeliverySent(sent) => {
                End { provider: sent.provider, at: sent.sent_at, failure: None }
            }
            Event::DeliveryFailed(failed) => End {
                provider: failed.provider,
                at: failed.failed_at,
                failure: Some(failed.reason),
            },
        };
        course.map(|course| Self { end: Some(end), ..course })
    }

    /// Reads a delivery's own stream, which is never behind.
    pub(crate) async fn read(
        log: &Arc<dyn EventLog>,
        tenant: &TenantId,
        id: DeliveryId,
    ) -> Result<Option<Self>, ReadError> {
        let stream = stream(tenant, id);
        let mut events = log.read(&stream, Revision::START).await?;
        let mut course = None;
        while let Some(recorded) = events.try_next().await? {
            let event = &recorded.event;
            let decoded = Delivery::decode(&event.event_type, event.schema_version, &event.payload);
            let event = decoded.map_err(|error| Corruption {
                place: format!("{stream} revision {}", recorded.revision),
                what: error.to_string(),
            })?;
            course = Self::evolve(course, event);
        }
        Ok(course)
    }
}
