//! What a token says, and whether it is for us and for now (RFC 7519 section 4.1).

use std::{fmt, time::Duration};

use countersign_core::Timestamp;
use serde_json::{Map, Value};

use crate::TokenError;

/// Longest `sub`, in characters (OpenID Connect Core section 2).
const LONGEST_SUBJECT: usize = 255;

/// The last second of the year 9999: times after it are not meant as times.
const END_OF_TIME: f64 = 253_402_300_799.0;

/// What a trusted issuer says in a token that is for us and valid now.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifiedToken {
    /// What its issuer is called in the settings.
    pub issuer_name: String,
    /// Its issuer, as in `iss`.
    pub issuer: String,
    /// Whom it is about, as in `sub`: unique with its issuer only.
    pub subject: String,
    /// Whom it is for, as in `aud`: at least one is ours.
    pub audiences: Vec<String>,
    /// All claims, the ones above included.
    pub claims: Map<String, Value>,
    /// When it ends. It was accepted up to the issuer's leeway after that.
    pub expires_at: Timestamp,
}

/// What it says is about people, and not for logs.
impl fmt::Debug for VerifiedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedToken")
            .field("issuer_name", &self.issuer_name)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// What is asked of claims.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expected<'a> {
    pub(crate) audiences: &'a [String],
    pub(crate) leeway: Duration,
    pub(crate) now: Timestamp,
}

/// What claims say in our words.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Judged {
    pub(crate) subject: String,
    pub(crate) audiences: Vec<String>,
    pub(crate) expires_at: Timestamp,
}

/// Judges claims whose signature and issuer are known to be right.
pub(crate) fn judge(
    claims: &Map<String, Value>,
    expected: Expected<'_>,
) -> Result<Judged, TokenError> {
    let audiences = audiences(claims)?;
    if !audiences.iter().any(|audience| expected.audiences.contains(audience)) {
        return Err(TokenError::WrongAudience);
    }
    let expires_at = judge_times(claims, expected)?;
    Ok(Judged { subject: subject(claims)?, audiences, expires_at })
}

fn judge_times(
    claims: &Map<String, Value>,
    Expected { leeway, now, .. }: Expected<'_>,
) -> Result<Timestamp, TokenError> {
    let expires_at = time(claims, "exp")?.ok_or(TokenError::BadClaim { claim: "exp" })?;
    if now >= expires_at.plus(leeway) {
        return Err(TokenError::Expired);
    }
    for claim in ["nbf", "iat"] {
        match time(claims, claim)? {
            Some(begins_at) if begins_at > now.plus(leeway) => return Err(TokenError::NotYetValid),
            Some(begins_at) if begins_at > expires_at => {
                return Err(TokenError::BadClaim { claim });
            }
            Some(_) | None => {}
        }
    }
    Ok(expires_at)
}

/// Reads a `NumericDate`, which may have a fraction (RFC 7519 section 2).
fn time(claims: &Map<String, Value>, claim: &'static str) -> Result<Option<Timestamp>, TokenError> {
    let Some(value) = claims.get(claim) else { return Ok(None) };
    let seconds = value.as_f64().filter(|seconds| (0.0..=END_OF_TIME).contains(seconds));
    let since = Duration::try_from_secs_f64(seconds.ok_or(TokenError::BadClaim { claim })?);
    let since = since.map_err(|_| TokenError::BadClaim { claim })?;
    Ok(Some(Timestamp::EPOCH.plus(since)))
}

/// Reads `sub`, without which nobody is meant (RFC 9068 section 2.2).
fn subject(claims: &Map<String, Value>) -> Result<String, TokenError> {
    let subject = claims.get("sub").and_then(Value::as_str);
    let sane = |subject: &&str| {
        (1..=LONGEST_SUBJECT).contains(&subject.chars().count())
            && !subject.chars().any(char::is_control)
    };
    let subject = subject.filter(sane).ok_or(TokenError::BadClaim { claim: "sub" })?;
    Ok(subject.to_owned())
}

/// Reads `aud`: one, or a list of them.
fn audiences(claims: &Map<String, Value>) -> Result<Vec<String>, TokenError> {
    let wrong = TokenError::BadClaim { claim: "aud" };
    match claims.get("aud") {
        Some(Value::String(one)) => Ok(vec![one.clone()]),
        Some(Value::Array(list)) => {
            let texts = list.iter().map(|one| one.as_str().map(str::to_owned));
            texts.collect::<Option<_>>().ok_or(wrong)
        }
        Some(_) | None => Err(wrong),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_700_000_000;

    fn judged(changes: &Value) -> Result<Judged, TokenError> {
        let mut claims = json!({"sub": "u", "aud": "us", "exp": NOW + 300});
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims.as_object_mut().unwrap().retain(|_, value| *value != "absent");
        let ours = ["us".to_owned(), "we".to_owned()];
        let leeway = Duration::from_secs(30);
        let now = Timestamp::from_unix_seconds(NOW);
        judge(claims.as_object().unwrap(), Expected { audiences: &ours, leeway, now })
    }

    fn error_of(changes: &Value) -> TokenError {
        judged(changes).expect_err(&changes.to_string())
    }

    #[test]
    fn claims_for_us_and_for_now_are_taken() {
        let judged = judged(&json!({"aud": ["them", "we"], "nbf": NOW, "iat": NOW - 5})).unwrap();
        assert_eq!(judged.subject, "u");
        assert_eq!(judged.audiences, ["them", "we"]);
        assert_eq!(judged.expires_at, Timestamp::from_unix_seconds(NOW + 300));
    }

    #[test]
    fn a_token_ends_at_its_second_and_a_leeway_later() {
        assert!(judged(&json!({"exp": NOW - 29})).is_ok());
        assert!(judged(&json!({"exp": NOW as f64 - 29.5})).is_ok());
        for exp in [json!(NOW - 30), json!(NOW - 31), json!(0), json!(NOW as f64 - 30.5)] {
            assert_eq!(error_of(&json!({"exp": exp})), TokenError::Expired);
        }
    }

    #[test]
    fn a_token_begins_a_leeway_before_its_second() {
        for claim in ["nbf", "iat"] {
            assert!(judged(&json!({claim: NOW + 30})).is_ok());
            assert_eq!(error_of(&json!({claim: NOW + 31})), TokenError::NotYetValid);
        }
    }

    #[test]
    fn a_token_that_begins_after_its_end_makes_no_sense() {
        let error = error_of(&json!({"exp": NOW - 10, "iat": NOW}));
        assert_eq!(error, TokenError::BadClaim { claim: "iat" });
    }

    #[test]
    fn times_that_are_none_are_refused_rather_than_passed_over() {
        let odd = [
            json!("1700000300"),
            json!(null),
            json!(true),
            json!([NOW]),
            json!({}),
            json!(-1),
            json!(1e300),
        ];
        for claim in ["exp", "nbf", "iat"] {
            for value in &odd {
                assert_eq!(error_of(&json!({claim: value})), TokenError::BadClaim { claim });
            }
        }
        assert_eq!(error_of(&json!({"exp": "absent"})), TokenError::BadClaim { claim: "exp" });
        assert_eq!(error_of(&json!({"exp": u64::MAX})), TokenError::BadClaim { claim: "exp" });
    }

    #[test]
    fn a_token_for_others_is_refused() {
        for aud in [
            json!("them"),
            json!("us "),
            json!("US"),
            json!(""),
            json!([]),
            json!(["them"]),
            json!("us,we"),
        ] {
            assert_eq!(error_of(&json!({"aud": aud})), TokenError::WrongAudience);
        }
        for aud in [
            json!("absent"),
            json!(null),
            json!(1),
            json!({"us": 1}),
            json!(["us", 1]),
            json!([["us"]]),
        ] {
            assert_eq!(error_of(&json!({"aud": aud})), TokenError::BadClaim { claim: "aud" });
        }
    }

    #[test]
    fn a_token_about_nobody_is_refused() {
        for sub in [
            json!("absent"),
            json!(""),
            json!(1),
            json!(null),
            json!(["u"]),
            json!("a\nb"),
            json!("u".repeat(256)),
        ] {
            assert_eq!(error_of(&json!({"sub": sub})), TokenError::BadClaim { claim: "sub" });
        }
        assert!(judged(&json!({"sub": "ü".repeat(255)})).is_ok());
    }

    #[test]
    fn what_a_token_says_stays_out_of_logs() {
        let token = VerifiedToken {
            issuer_name: "login".to_owned(),
            issuer: "https://login.example.com".to_owned(),
            subject: "s3cret".to_owned(),
            audiences: vec!["s3cret".to_owned()],
            claims: json!({"email": "s3cret"}).as_object().unwrap().clone(),
            expires_at: Timestamp::EPOCH,
        };
        let text = format!("{token:?}");
        assert!(text.contains("login") && !text.contains("s3cret"), "{text}");
    }
}
