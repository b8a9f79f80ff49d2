//! Translation between the wire's words and the log's.

use std::time::Duration;

use countersign_core::Timestamp;
use countersign_domain::{
    policy::MfaRequirement, user_challenges::Challenge, wire::timestamp_to_wire,
};
use countersign_eventsourcing::RecordedEvent;
use countersign_proto::{
    audit::{self as wire, replay_events_response::Item},
    common,
};
use countersign_service::{ApiError, fields::instant};

use crate::{ErasedUsers, app::Replayed, schema};

/// Reads an optional bound of the kind "at or after" or "before". What is finer than the log's microseconds is rounded
/// up, so that what is recorded in the microsecond that holds it stays before it.
pub(super) fn bound(
    field: &'static str,
    wire: Option<&prost_types::Timestamp>,
) -> Result<Option<Timestamp>, ApiError> {
    let is_finer = wire.is_some_and(|wire| wire.nanos % 1_000 != 0);
    let rest = Duration::from_micros(u64::from(is_finer));
    Ok(instant(field, wire)?.map(|instant| instant.plus(rest)))
}

/// Shows one item of a replay.
pub(super) fn replayed(replayed: Replayed, erased: &ErasedUsers) -> wire::ReplayEventsResponse {
    let item = match replayed {
        Replayed::Event(event) => {
            let erased = erased.concerns(&event);
            Item::Event(wire::RecordedEvent { erased, ..recorded_event(event) })
        }
        // The schema has no word for an empty log. Nobody meets this: a caller's API key is an event.
        Replayed::CaughtUp(position) => Item::CaughtUpPosition(position.map_or(0, |at| at.0)),
    };
    wire::ReplayEventsResponse { item: Some(item) }
}

fn recorded_event(recorded: RecordedEvent) -> wire::RecordedEvent {
    let RecordedEvent { stream, revision, position, event } = recorded;
    let metadata = event.metadata;
    wire::RecordedEvent {
        position: position.0,
        event_id: event.id.to_string(),
        schema_version: event.schema_version,
        stream: stream.to_string(),
        revision: revision.0,
        recorded_at: Some(timestamp_to_wire(metadata.recorded_at)),
        tenant: stream.tenant().to_owned(),
        requester: metadata.requester.to_string(),
        correlation_id: metadata.correlation_id.to_string(),
        causation_id: metadata.causation_id.to_string(),
        traceparent: metadata.traceparent.to_string(),
        payload: Some(prost_types::Any {
            type_url: schema::payload_type_url(&event.event_type, event.schema_version),
            value: event.payload.into(),
        }),
        r#type: event.event_type.into_owned(),
        erased: false,
    }
}

/// Shows a challenge that awaits an answer.
pub(super) fn open_challenge(challenge: &Challenge) -> wire::OpenChallenge {
    wire::OpenChallenge {
        challenge_id: challenge.id.to_string(),
        application_id: challenge.application_id.to_string(),
        created_at: Some(timestamp_to_wire(challenge.issued_at)),
        expires_at: Some(timestamp_to_wire(challenge.expires_at)),
        attempts_left: challenge.attempts_left,
    }
}

/// Shows a requirement.
pub(super) const fn requirement_to_wire(requirement: MfaRequirement) -> common::MfaRequirement {
    match requirement {
        MfaRequirement::Never => common::MfaRequirement::Never,
        MfaRequirement::Always => common::MfaRequirement::Always,
        MfaRequirement::PerApplication => common::MfaRequirement::PerApplication,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn wire(seconds: i64, nanos: i32) -> prost_types::Timestamp {
        prost_types::Timestamp { seconds, nanos }
    }

    #[test]
    fn an_instant_is_cut_and_a_bound_is_rounded_up_to_the_microsecond() {
        let finer = wire(5, 1_001);
        let micros =
            |read: Result<Option<Timestamp>, ApiError>| read.unwrap().unwrap().unix_micros();
        assert_eq!(micros(instant("as_of", Some(&finer))), 5_000_001);
        assert_eq!(micros(bound("from_time", Some(&finer))), 5_000_002);
        assert_eq!(micros(bound("from_time", Some(&wire(5, 1_000)))), 5_000_001);
        assert_eq!(bound("from_time", None).unwrap(), None);
    }

    #[test]
    fn a_time_that_the_wire_cannot_mean_is_refused() {
        for bad in [wire(0, -1), wire(0, 1_000_000_000), wire(i64::MIN, 0), wire(i64::MAX, 0)] {
            let error = instant("as_of", Some(&bad)).unwrap_err();
            assert_eq!(error.field.unwrap().field, "as_of");
            assert!(bound("until_time", Some(&bad)).is_err());
        }
    }
}
