//! Events on their way into the log and out of it.

use std::{borrow::Cow, sync::Arc};

use bytes::Bytes;
use countersign_core::Timestamp;
use uuid::Uuid;

use crate::{Position, Revision, StreamId};

/// What is known about an event besides its payload. Left out of comparisons of domain events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// When the command was carried out.
    pub recorded_at: Timestamp,
    /// The request that it belongs to, across services.
    pub correlation_id: Uuid,
    /// The command, or for a reactor the event, that caused it.
    pub causation_id: Uuid,
    /// Who asked, for example `api-key:...`. No personal data.
    pub requester: Arc<str>,
    /// W3C trace context of the request; empty if there was none.
    pub traceparent: Arc<str>,
    /// Keyed digest of the request's content, to tell a repeat from a reuse of its id.
    pub request_digest: u64,
}

/// An event to be appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    /// Unique id; appending the same id again at the same place is a repeat, not a conflict.
    pub id: Uuid,
    /// Name of the payload's message.
    pub event_type: Cow<'static, str>,
    /// Version of the payload's schema.
    pub schema_version: u32,
    /// The payload.
    pub payload: Bytes,
    /// What else is known.
    pub metadata: Metadata,
}

/// An event as the log holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedEvent {
    /// The stream.
    pub stream: StreamId,
    /// Place in the stream.
    pub revision: Revision,
    /// Place in the log.
    pub position: Position,
    /// What was appended.
    pub event: NewEvent,
}
