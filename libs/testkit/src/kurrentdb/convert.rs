//! Between the wire's words and the store's.

use bytes::Bytes;
use countersign_eventsourcing::{ExpectedRevision, Revision};
use tonic::Status;
use uuid::Uuid;

use super::{
    store::{Expected, WireEvent},
    wire::{
        self, StreamIdentifier,
        streams::{append_req, batch_append_req, read_req::options::filter_options::Expression},
        uuid::{Structured, Value},
    },
};

impl wire::Uuid {
    pub(super) fn as_uuid(&self) -> Option<Uuid> {
        match self.value.as_ref()? {
            Value::Structured(halves) => Some(Uuid::from_u64_pair(
                halves.most_significant_bits.cast_unsigned(),
                halves.least_significant_bits.cast_unsigned(),
            )),
            Value::String(text) => text.parse().ok(),
        }
    }

    pub(super) fn of(id: Uuid) -> Self {
        let (most, least) = id.as_u64_pair();
        Self {
            value: Some(Value::Structured(Structured {
                most_significant_bits: most.cast_signed(),
                least_significant_bits: least.cast_signed(),
            })),
        }
    }
}

pub(super) fn name(identifier: Option<StreamIdentifier>) -> Result<Bytes, Status> {
    let name = identifier.unwrap_or_default().stream_name;
    if name.is_empty() || std::str::from_utf8(&name).is_err() {
        return Err(Status::invalid_argument("a stream has a name"));
    }
    Ok(name)
}

const fn exactly(revision: u64) -> Expected {
    Expected::Exactly(ExpectedRevision::Exact(Revision(revision)))
}

const NO_STREAM: Expected = Expected::Exactly(ExpectedRevision::NoStream);

pub(super) fn expected(
    wire: Option<append_req::options::ExpectedStreamRevision>,
) -> Result<Expected, Status> {
    use append_req::options::ExpectedStreamRevision as Wire;
    Ok(match wire.ok_or_else(|| Status::invalid_argument("an append expects a revision"))? {
        Wire::Revision(revision) => exactly(revision),
        Wire::NoStream(_) => NO_STREAM,
        Wire::Any(_) => Expected::Any,
        Wire::StreamExists(_) => Expected::Exists,
    })
}

pub(super) fn expected_in_session(
    wire: Option<batch_append_req::options::ExpectedStreamPosition>,
) -> Option<Expected> {
    use batch_append_req::options::ExpectedStreamPosition as Wire;
    Some(match wire? {
        Wire::StreamPosition(revision) => exactly(revision),
        Wire::NoStream(()) => NO_STREAM,
        Wire::Any(()) => Expected::Any,
        Wire::StreamExists(()) => Expected::Exists,
    })
}

/// A proposed event as it will be read; its place is filled in when it is.
pub(super) fn proposed(message: append_req::ProposedMessage) -> WireEvent {
    let append_req::ProposedMessage { id, metadata, custom_metadata, data } = message;
    WireEvent { id, metadata, custom_metadata, data, ..WireEvent::default() }
}

pub(super) fn proposed_in_session(message: batch_append_req::ProposedMessage) -> WireEvent {
    let batch_append_req::ProposedMessage { id, metadata, custom_metadata, data } = message;
    WireEvent { id, metadata, custom_metadata, data, ..WireEvent::default() }
}

/// Size as the server counts it against its limit.
pub(super) fn size(events: &[WireEvent]) -> usize {
    let size_of = |event: &WireEvent| {
        event.metadata.get("type").map_or(0, String::len)
            + event.data.len()
            + event.custom_metadata.len()
    };
    events.iter().map(size_of).sum()
}

/// Which events a read or a subscription of `$all` wants.
#[derive(Debug)]
pub(super) enum Wanted {
    Everything,
    Streams(Pattern),
    Types(Pattern),
}

#[derive(Debug)]
pub(super) enum Pattern {
    Regex(regex::Regex),
    Prefixes(Vec<String>),
}

impl Pattern {
    /// As in the server, a regular expression wins over prefixes.
    pub(super) fn new(expression: Expression) -> Result<Self, Status> {
        if expression.regex.is_empty() {
            return Ok(Self::Prefixes(expression.prefix));
        }
        let regex = regex::Regex::new(&expression.regex);
        regex.map(Self::Regex).map_err(|error| Status::invalid_argument(error.to_string()))
    }

    fn matches(&self, text: &str) -> bool {
        match self {
            Self::Regex(regex) => regex.is_match(text),
            Self::Prefixes(prefixes) => prefixes.iter().any(|prefix| text.starts_with(prefix)),
        }
    }
}

impl Wanted {
    pub(super) fn wants(&self, event: &WireEvent) -> bool {
        match self {
            Self::Everything => true,
            Self::Streams(pattern) => {
                let name = event.stream_identifier.as_ref().map(|name| &name.stream_name[..]);
                name.and_then(|name| std::str::from_utf8(name).ok())
                    .is_some_and(|name| pattern.matches(name))
            }
            Self::Types(pattern) => {
                event.metadata.get("type").is_some_and(|kind| pattern.matches(kind))
            }
        }
    }
}
