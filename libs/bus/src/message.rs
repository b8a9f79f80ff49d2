//! An event as a message: metadata in headers that any subscriber can read, the protobuf payload as body. The consumer's
//! side makes the event again, exactly.

use std::{borrow::Cow, str::FromStr};

use async_nats::HeaderMap;
use bytes::Bytes;
use countersign_core::Timestamp;
use countersign_eventsourcing::{
    LogId, Metadata, NewEvent, Position, RecordedEvent, Revision, StreamId,
};
use uuid::Uuid;

use crate::escape;

/// By which JetStream knows a message that it has already: the event's id.
pub(crate) const MESSAGE_ID: &str = "Nats-Msg-Id";
/// The event's id, also where a message that is given out again has an id of its own.
const EVENT_ID: &str = "Countersign-Event-Id";
/// Name of the payload's message.
pub(crate) const EVENT_TYPE: &str = "Countersign-Type";
/// Version of the payload's schema.
const SCHEMA_VERSION: &str = "Countersign-Schema-Version";
/// The stream that the event stands in.
pub(crate) const STREAM: &str = "Countersign-Stream";
/// Its place there.
pub(crate) const REVISION: &str = "Countersign-Revision";
/// Its place in the log.
pub(crate) const POSITION: &str = "Countersign-Position";
/// The log.
pub(crate) const LOG: &str = "Countersign-Log";
/// Microseconds since 1970.
const RECORDED_AT: &str = "Countersign-Recorded-At";
/// The request it belongs to.
const CORRELATION: &str = "Countersign-Correlation-Id";
/// What caused it.
const CAUSATION: &str = "Countersign-Causation-Id";
/// Who asked.
const REQUESTER: &str = "Countersign-Requester";
/// Digest of the request's content.
const REQUEST_DIGEST: &str = "Countersign-Request-Digest";
/// W3C Trace Context section 3.2.
const TRACEPARENT: &str = "traceparent";

/// Headers of an event, all of them.
const OF_AN_EVENT: [&str; 13] = [
    EVENT_ID,
    EVENT_TYPE,
    SCHEMA_VERSION,
    STREAM,
    REVISION,
    POSITION,
    LOG,
    RECORDED_AT,
    CORRELATION,
    CAUSATION,
    REQUESTER,
    REQUEST_DIGEST,
    TRACEPARENT,
];

/// Longest value that is kept of a header of a message that is not an event.
const LONGEST_KEPT: usize = 1024;

/// Why a message is not an event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// A header is not there.
    #[error("the header `{0}` is missing")]
    Missing(&'static str),
    /// A header is there more than once.
    #[error("the header `{0}` is there more than once")]
    Repeated(&'static str),
    /// A header holds something else than it should.
    #[error("the header `{0}` cannot be read")]
    Malformed(&'static str),
    /// It was published on the subject of other events.
    #[error("the subject is not that of the event in the headers")]
    Misplaced,
}

/// Returns the headers of `recorded`, an event of the log `log`.
#[must_use]
pub fn headers_of(log: LogId, recorded: &RecordedEvent) -> HeaderMap {
    let RecordedEvent { stream, revision, position, event } = recorded;
    let metadata = &event.metadata;
    let id = event.id.to_string();
    let mut headers = HeaderMap::new();
    headers.insert(MESSAGE_ID, id.as_str());
    headers.insert(EVENT_ID, id);
    headers.insert(EVENT_TYPE, escape::value(&event.event_type));
    headers.insert(SCHEMA_VERSION, event.schema_version.to_string());
    headers.insert(STREAM, escape::value(stream.as_str()));
    headers.insert(REVISION, revision.to_string());
    headers.insert(POSITION, position.to_string());
    headers.insert(LOG, log.0.to_string());
    headers.insert(RECORDED_AT, metadata.recorded_at.unix_micros().to_string());
    headers.insert(CORRELATION, metadata.correlation_id.to_string());
    headers.insert(CAUSATION, metadata.causation_id.to_string());
    headers.insert(REQUESTER, escape::value(&metadata.requester));
    headers.insert(REQUEST_DIGEST, metadata.request_digest.to_string());
    headers.insert(TRACEPARENT, escape::value(&metadata.traceparent));
    headers
}

/// Makes the event that `headers` and `payload` are of, and says which log holds it.
///
/// # Errors
/// Says which header is not as [`headers_of`] makes it.
pub fn rebuild(
    headers: Option<&HeaderMap>,
    payload: &Bytes,
) -> Result<(LogId, RecordedEvent), Unreadable> {
    let empty = HeaderMap::new();
    let headers = headers.unwrap_or(&empty);
    let metadata = Metadata {
        recorded_at: Timestamp::from_unix_micros(parsed(headers, RECORDED_AT)?),
        correlation_id: parsed(headers, CORRELATION)?,
        causation_id: parsed(headers, CAUSATION)?,
        requester: text(headers, REQUESTER)?.into(),
        traceparent: text(headers, TRACEPARENT)?.into(),
        request_digest: parsed(headers, REQUEST_DIGEST)?,
    };
    let event = NewEvent {
        id: parsed(headers, EVENT_ID)?,
        event_type: Cow::Owned(text(headers, EVENT_TYPE)?),
        schema_version: parsed(headers, SCHEMA_VERSION)?,
        payload: payload.clone(),
        metadata,
    };
    let stream = text(headers, STREAM)?.parse::<StreamId>();
    let recorded = RecordedEvent {
        stream: stream.map_err(|_| Unreadable::Malformed(STREAM))?,
        revision: Revision(parsed(headers, REVISION)?),
        position: Position(parsed(headers, POSITION)?),
        event,
    };
    Ok((LogId(parsed::<Uuid>(headers, LOG)?), recorded))
}

/// Returns the headers that speak of an event, whether or not they can be read: never those by which a publisher tells
/// JetStream what to do.
pub(crate) fn kept(headers: Option<&HeaderMap>) -> HeaderMap {
    let mut kept = HeaderMap::new();
    for name in OF_AN_EVENT {
        if let Some(value) = headers.and_then(|headers| headers.get(name)) {
            let value: String = value.as_str().chars().take(LONGEST_KEPT).collect();
            // What came over the wire was read line by line, but the client would stop the process at a line end.
            kept.insert(name, value.replace(['\r', '\n'], " "));
        }
    }
    kept
}

fn only<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<&'a str, Unreadable> {
    let mut all = headers.get_all(name);
    let value = all.next().ok_or(Unreadable::Missing(name))?;
    if all.next().is_some() { Err(Unreadable::Repeated(name)) } else { Ok(value.as_str()) }
}

fn parsed<T: FromStr>(headers: &HeaderMap, name: &'static str) -> Result<T, Unreadable> {
    only(headers, name)?.parse().map_err(|_| Unreadable::Malformed(name))
}

fn text(headers: &HeaderMap, name: &'static str) -> Result<String, Unreadable> {
    escape::read(only(headers, name)?).ok_or(Unreadable::Malformed(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded() -> RecordedEvent {
        RecordedEvent {
            stream: "deliveries-acme.7".parse().unwrap(),
            revision: Revision(3),
            position: Position(u64::MAX),
            event: NewEvent {
                id: Uuid::from_u128(7),
                event_type: "Odd type.".into(),
                schema_version: 2,
                payload: Bytes::from_static(b"\0\r\n\xff"),
                metadata: Metadata {
                    recorded_at: Timestamp::from_unix_micros(i64::MIN),
                    correlation_id: Uuid::from_u128(8),
                    causation_id: Uuid::from_u128(9),
                    requester: " Jürgen\r\nNats-Rollup: all ".into(),
                    traceparent: "".into(),
                    request_digest: u64::MAX,
                },
            },
        }
    }

    #[test]
    fn an_event_comes_back_exactly() {
        let log = LogId(Uuid::from_u128(1));
        let headers = headers_of(log, &recorded());
        let rebuilt = rebuild(Some(&headers), &recorded().event.payload);
        assert_eq!(rebuilt, Ok((log, recorded())));
    }

    #[test]
    fn every_header_has_to_be_there_once_and_readable() {
        let log = LogId(Uuid::from_u128(1));
        let payload = recorded().event.payload;
        assert!(rebuild(None, &payload).is_err());
        for name in OF_AN_EVENT {
            let mut twice = headers_of(log, &recorded());
            twice.append(name, "1");
            assert_eq!(rebuild(Some(&twice), &payload), Err(Unreadable::Repeated(name)));
            let mut broken = headers_of(log, &recorded());
            broken.insert(name, "%");
            assert_eq!(rebuild(Some(&broken), &payload), Err(Unreadable::Malformed(name)));
            let rest = headers_of(log, &recorded());
            let rest = rest.iter().filter(|(other, _)| other.as_ref() as &str != name);
            let rest: HeaderMap = rest
                .flat_map(|(name, values)| values.iter().map(|v| (name.clone(), v.clone())))
                .collect();
            assert_eq!(rebuild(Some(&rest), &payload), Err(Unreadable::Missing(name)));
        }
    }

    #[test]
    fn what_is_kept_of_a_message_tells_jetstream_nothing() {
        let mut headers = headers_of(LogId(Uuid::from_u128(1)), &recorded());
        headers.insert("Nats-Rollup", "all");
        headers.insert("Nats-TTL", "1");
        let kept = kept(Some(&headers));
        assert_eq!(kept.len(), OF_AN_EVENT.len());
        assert!(kept.iter().all(|(name, _)| !(name.as_ref() as &str).starts_with("Nats")));
    }
}
