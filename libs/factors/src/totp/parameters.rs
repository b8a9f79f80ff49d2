//! What can be chosen about a TOTP authenticator, and its words.

use std::collections::BTreeMap;

use countersign_core::{FieldError, FieldProblem};
use serde::{Deserialize, Serialize};

use super::KIND;
use crate::EnrollmentError;

/// Periods, in seconds: shorter ones cannot be typed in time, longer ones can be read over a shoulder at leisure.
/// Some authenticators refuse more than 120 (pyotp does), so the API's default of 30 is the one to keep to.
pub(super) const PERIODS: std::ops::RangeInclusive<u16> = 15..=300;

/// The hash function (RFC 6238 section 1.2).
///
/// Several authenticator apps pass over this parameter without a word and use SHA-1, whose weakness against
/// collisions does not touch HMAC (RFC 6194): hence the default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Algorithm {
    Sha1,
    Sha256,
    Sha512,
}

impl Algorithm {
    pub(super) const ALL: [Self; 3] = [Self::Sha1, Self::Sha256, Self::Sha512];

    /// Returns the name in parameters and key URIs.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
            Self::Sha512 => "SHA512",
        }
    }

    /// Returns the length of its output in bytes.
    pub(super) const fn output_len(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }
}

/// What was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parameters {
    pub(super) algorithm: Algorithm,
    pub(super) digits: u8,
    pub(super) period_seconds: u16,
}

/// What every authenticator app can do.
impl Default for Parameters {
    fn default() -> Self {
        Self { algorithm: Algorithm::Sha1, digits: 6, period_seconds: 30 }
    }
}

impl Parameters {
    /// Reads what was asked for.
    pub(super) fn parse(asked: &BTreeMap<String, String>) -> Result<Self, EnrollmentError> {
        let mut parameters = Self::default();
        for (name, value) in asked {
            match name.as_str() {
                "algorithm" => parameters.algorithm = algorithm(value)?,
                "digits" => parameters.digits = digits(value)?,
                "period_seconds" => parameters.period_seconds = period_seconds(value)?,
                _ => {
                    let known = "algorithm, digits and period_seconds";
                    return Err(EnrollmentError::UnknownParameter { kind: KIND, known });
                }
            }
        }
        Ok(parameters)
    }

    /// Says what is in force, in the words that it is asked in.
    pub(super) fn told(self) -> BTreeMap<String, String> {
        BTreeMap::from([
            ("algorithm".to_owned(), self.algorithm.as_str().to_owned()),
            ("digits".to_owned(), self.digits.to_string()),
            ("period_seconds".to_owned(), self.period_seconds.to_string()),
        ])
    }
}

fn algorithm(value: &str) -> Result<Algorithm, FieldError> {
    let problem = FieldProblem::Other("must be SHA1, SHA256 or SHA512");
    let found = Algorithm::ALL.into_iter().find(|algorithm| algorithm.as_str() == value);
    found.ok_or(FieldError::new("totp.algorithm", problem))
}

fn digits(value: &str) -> Result<u8, FieldError> {
    match value {
        "6" => Ok(6),
        "8" => Ok(8),
        _ => Err(FieldError::new("totp.digits", FieldProblem::Other("must be 6 or 8"))),
    }
}

fn period_seconds(value: &str) -> Result<u16, FieldError> {
    let period = value.parse().ok().filter(|period| PERIODS.contains(period));
    let problem = FieldProblem::Other("must be 15 to 300 seconds");
    period.ok_or(FieldError::new("totp.period_seconds", problem))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(asked: &[(&str, &str)]) -> Result<Parameters, EnrollmentError> {
        Parameters::parse(&asked.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
    }

    #[test]
    fn what_is_not_asked_for_is_what_every_app_can_do() {
        let told = parse(&[]).unwrap().told();
        let told: Vec<_> =
            told.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(told, [("algorithm", "SHA1"), ("digits", "6"), ("period_seconds", "30")]);
    }

    #[test]
    fn what_is_told_can_be_asked_for() {
        for algorithm in Algorithm::ALL {
            for digits in [6, 8] {
                for period_seconds in [15, 30, 300] {
                    let parameters = Parameters { algorithm, digits, period_seconds };
                    assert_eq!(Parameters::parse(&parameters.told()), Ok(parameters));
                }
            }
        }
    }

    #[test]
    fn a_parameter_out_of_bounds_is_named_as_the_api_names_it() {
        let unfit = [
            ("algorithm", "MD5", "totp.algorithm: must be SHA1, SHA256 or SHA512"),
            ("algorithm", "sha1", "totp.algorithm: must be SHA1, SHA256 or SHA512"),
            ("digits", "7", "totp.digits: must be 6 or 8"),
            ("digits", "", "totp.digits: must be 6 or 8"),
            ("period_seconds", "14", "totp.period_seconds: must be 15 to 300 seconds"),
            ("period_seconds", "301", "totp.period_seconds: must be 15 to 300 seconds"),
            ("period_seconds", "-30", "totp.period_seconds: must be 15 to 300 seconds"),
            ("period_seconds", "65566", "totp.period_seconds: must be 15 to 300 seconds"),
            (
                "skew",
                "1",
                "totp has no such parameter; it has algorithm, digits and period_seconds",
            ),
        ];
        for (name, value, message) in unfit {
            assert_eq!(parse(&[(name, value)]).unwrap_err().to_string(), message);
        }
    }
}
