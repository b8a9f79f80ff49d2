//! Bounds of request fields that several RPCs share.

use countersign_core::{FieldProblem, UserId};

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
