//! When a pass opens, and how often.

use std::{collections::BTreeMap, str::FromStr};

use countersign_core::{FieldError, FieldProblem, Timestamp};
use serde::{Deserialize, Serialize};

use super::KIND;
use crate::EnrollmentError;

const STARTS_AT: &str = "starts_at";
const ENDS_AT: &str = "ends_at";
const SINGLE_USE: &str = "single_use";

/// When a pass opens, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Parameters {
    /// From when on it is right.
    pub(super) starts_at: Timestamp,
    /// From when on it is right no more.
    pub(super) ends_at: Timestamp,
    /// Whether it is right once only.
    pub(super) single_use: bool,
}

impl Parameters {
    /// Reads all three; none of them has a default.
    pub(super) fn parse(given: &BTreeMap<String, String>) -> Result<Self, EnrollmentError> {
        if given.keys().any(|name| ![STARTS_AT, ENDS_AT, SINGLE_USE].contains(&&**name)) {
            let known = "starts_at, ends_at and single_use";
            return Err(EnrollmentError::UnknownParameter { kind: KIND, known });
        }
        let parsed = Self {
            starts_at: required(given, STARTS_AT, "must be an instant by RFC 3339")?,
            ends_at: required(given, ENDS_AT, "must be an instant by RFC 3339")?,
            single_use: required(given, SINGLE_USE, "must be true or false")?,
        };
        if parsed.ends_at <= parsed.starts_at {
            let problem = FieldProblem::Other("must be after starts_at");
            return Err(FieldError::new(ENDS_AT, problem).into());
        }
        Ok(parsed)
    }

    /// Returns them in the words that they are given in.
    pub(super) fn told(&self) -> BTreeMap<String, String> {
        let told = [
            (STARTS_AT, self.starts_at.to_string()),
            (ENDS_AT, self.ends_at.to_string()),
            (SINGLE_USE, self.single_use.to_string()),
        ];
        told.map(|(name, value)| (name.to_owned(), value)).into()
    }

    /// Returns whether `now` lies between the start and the end.
    pub(super) fn opens_at(&self, now: Timestamp) -> bool {
        (self.starts_at..self.ends_at).contains(&now)
    }
}

fn required<T: FromStr>(
    given: &BTreeMap<String, String>,
    name: &'static str,
    form: &'static str,
) -> Result<T, FieldError> {
    let value = given.get(name).ok_or(FieldError::new(name, FieldProblem::Missing))?;
    value.parse().map_err(|_| FieldError::new(name, FieldProblem::Other(form)))
}
