//! Bounds of request fields that several RPCs share.

use std::time::Duration;

use countersign_core::{FieldProblem, Timestamp, UserId};
use countersign_domain::wire::timestamp_from_wire;

use crate::ApiError;

/// Names the field of a parsed value that went wrong.
///
/// # Errors
/// Returns the field's problem.
pub fn field<T>(name: &'static str, parsed: Result<T, FieldProblem>) -> Result<T, ApiError> {
    parsed.map_err(|problem| ApiError::field(name, problem))
}

/// Reads `user_id`.
///
/// # Errors
/// Says what is wrong with it.
pub fn user_id(text: &str) -> Result<UserId, ApiError> {
    field("user_id", UserId::parse(text))
}

/// Reads an optional id: empty means none.
///
/// # Errors
/// Says what is wrong with it.
pub fn optional<T>(
    name: &'static str,
    text: &str,
    parse: impl FnOnce(&str) -> Result<T, FieldProblem>,
) -> Result<Option<T>, ApiError> {
    if text.is_empty() { Ok(None) } else { field(name, parse(text)).map(Some) }
}

/// Checks a text for people: at most `max` bytes without control characters; may be empty.
///
/// # Errors
/// Says what is wrong with it.
pub fn text(name: &'static str, text: &str, max: usize) -> Result<String, ApiError> {
    if text.len() > max {
        let problem = FieldProblem::Length { min: 0, max, actual: text.len() };
        return Err(ApiError::field(name, problem));
    }
    if text.chars().any(char::is_control) {
        let allowed = "characters other than control characters";
        return Err(ApiError::field(name, FieldProblem::Characters { allowed }));
    }
    Ok(text.to_owned())
}

/// Checks a text for people that must be there: 1 to 128 bytes without control characters.
///
/// # Errors
/// Says what is wrong with it.
pub fn display_name(name: &'static str, given: &str) -> Result<String, ApiError> {
    if given.trim().is_empty() {
        return Err(ApiError::field(name, FieldProblem::Missing));
    }
    text(name, given, 128)
}

/// Reads a code that a user typed: 1 to 64 printable ASCII characters.
///
/// # Errors
/// Says what is wrong with it.
pub fn code(given: &str) -> Result<&str, ApiError> {
    if given.is_empty() {
        return Err(ApiError::field("code", FieldProblem::Missing));
    }
    if given.len() > 64 {
        let problem = FieldProblem::Length { min: 1, max: 64, actual: given.len() };
        return Err(ApiError::field("code", problem));
    }
    if !given.bytes().all(|b| b.is_ascii_graphic() || b == b' ') {
        let allowed = "printable ASCII characters";
        return Err(ApiError::field("code", FieldProblem::Characters { allowed }));
    }
    Ok(given)
}

/// What `google.protobuf.Timestamp` can say: the years 1 to 9999.
const SECONDS: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;

/// Reads an optional instant. What is finer than the log's microseconds is cut off.
///
/// # Errors
/// Says what is wrong with it.
pub fn instant(
    name: &'static str,
    wire: Option<&prost_types::Timestamp>,
) -> Result<Option<Timestamp>, ApiError> {
    let read = |wire: &prost_types::Timestamp| {
        if SECONDS.contains(&wire.seconds) && (0..1_000_000_000).contains(&wire.nanos) {
            Ok(timestamp_from_wire(wire))
        } else {
            Err(FieldProblem::Other("must be in the years 1 to 9999, with 0 to 999999999 nanos"))
        }
    };
    field(name, wire.map(read).transpose())
}

/// Reads a length of time that must be positive.
///
/// # Errors
/// Says that it is not.
pub fn positive_duration(
    field: &'static str,
    duration: prost_types::Duration,
) -> Result<Duration, ApiError> {
    // By hand: the conversion that comes with the type panics on the least length of time.
    let seconds = u64::try_from(duration.seconds).ok();
    let nanos = u32::try_from(duration.nanos).ok().filter(|nanos| *nanos < 1_000_000_000);
    let read = seconds.zip(nanos).map(|(seconds, nanos)| Duration::new(seconds, nanos));
    let read = read.filter(|duration| !duration.is_zero());
    read.ok_or_else(|| ApiError::field(field, FieldProblem::Other("must be a positive duration")))
}
