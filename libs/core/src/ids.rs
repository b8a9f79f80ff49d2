//! Typed ids and the bounds of every name that comes from outside.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A field of a request that cannot be used, with the mend.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct FieldError {
    /// Path of the field, as the API names it.
    pub field: &'static str,
    /// What is wrong and what would be right.
    pub problem: FieldProblem,
}

impl FieldError {
    /// Says that `field` has `problem`.
    #[must_use]
    pub const fn new(field: &'static str, problem: FieldProblem) -> Self {
        Self { field, problem }
    }
}

/// What is wrong with a value. The value itself is never repeated: it may be a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldProblem {
    /// Nothing was given.
    #[error("is required")]
    Missing,
    /// Too long or too short.
    #[error("must have {min} to {max} bytes, not {actual}")]
    Length {
        /// Least length in bytes.
        min: usize,
        /// Greatest length in bytes.
        max: usize,
        /// What was given.
        actual: usize,
    },
    /// Has characters that are not allowed.
    #[error("may only have {allowed}")]
    Characters {
        /// What is allowed, for people.
        allowed: &'static str,
    },
    /// Is not a UUID.
    #[error("must be a UUID such as 0190163d-8694-739b-aea5-966c26f8ad91")]
    NotUuid,
    /// Anything else; the text says what would be right.
    #[error("{0}")]
    Other(&'static str),
}

/// Checks a text's length in bytes and its characters.
fn check_text(
    text: &str,
    max: usize,
    allowed: &'static str,
    accept: impl Fn(char) -> bool,
) -> Result<(), FieldProblem> {
    if text.is_empty() {
        return Err(FieldProblem::Missing);
    }
    if text.len() > max {
        return Err(FieldProblem::Length { min: 1, max, actual: text.len() });
    }
    if !text.chars().all(accept) {
        return Err(FieldProblem::Characters { allowed });
    }
    Ok(())
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        pub struct $name(Uuid);

        impl $name {
            /// Wraps a UUID.
            #[must_use]
            pub const fn new(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// Returns the UUID.
            #[must_use]
            pub const fn uuid(self) -> Uuid {
                self.0
            }

            /// Parses a UUID in its hyphenated form.
            ///
            /// # Errors
            /// Says [`FieldProblem::Missing`] or [`FieldProblem::NotUuid`].
            pub fn parse(text: &str) -> Result<Self, FieldProblem> {
                if text.is_empty() {
                    return Err(FieldProblem::Missing);
                }
                if text.len() != 36 {
                    return Err(FieldProblem::NotUuid);
                }
                Uuid::try_parse(text).map(Self).map_err(|_| FieldProblem::NotUuid)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }
    };
}

uuid_id!(
    /// One enrolled instance of a factor.
    AuthenticatorId
);
uuid_id!(
    /// One question put to a user.
    ChallengeId
);
uuid_id!(
    /// One evaluation of a sign-in.
    SignInId
);
uuid_id!(
    /// One token with which a user looks after their own authenticators.
    TokenId
);
uuid_id!(
    /// One message to a user.
    DeliveryId
);
uuid_id!(
    /// One request for the approval of a dangerous act.
    ApprovalId
);

macro_rules! name_id {
    ($(#[$doc:meta])* $name:ident, $max:literal, $allowed:literal, $accept:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(Box<str>);

        impl $name {
            /// Checks and takes a name.
            ///
            /// # Errors
            /// Says what is wrong with its length or characters.
            pub fn parse(text: &str) -> Result<Self, FieldProblem> {
                check_text(text, $max, $allowed, $accept)?;
                Ok(Self(text.into()))
            }

            /// Returns the text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name_id!(
    /// An application that users sign in to; chosen by the tenant.
    ApplicationId,
    64,
    "lower-case letters, digits, '.', '_' and '-'",
    |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-')
);
name_id!(
    /// A part of a tenant with administrators of its own; chosen by the tenant.
    OrganisationId,
    64,
    "lower-case letters, digits, '.', '_' and '-'",
    |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-')
);
name_id!(
    /// An API key's public part.
    KeyId,
    32,
    "lower-case letters and digits",
    |c: char| c.is_ascii_lowercase() || c.is_ascii_digit()
);
name_id!(
    /// The caller's own name for one mutation; repeating it returns the first answer.
    RequestId,
    128,
    "letters, digits, '.', '_', ':' and '-'",
    |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | ':' | '-')
);

/// A customer of the installation; nothing of one tenant is visible to another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TenantId(Box<str>);

impl TenantId {
    /// Checks and takes a tenant's name: 1 to 40 of `[a-z0-9-]`, beginning and ending with a letter or digit.
    ///
    /// # Errors
    /// Says what is wrong with its length or characters.
    pub fn parse(text: &str) -> Result<Self, FieldProblem> {
        const ALLOWED: &str =
            "lower-case letters, digits and '-', beginning and ending with a letter or digit";
        check_text(text, 40, ALLOWED, |c| {
            c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'
        })?;
        if text.starts_with('-') || text.ends_with('-') {
            return Err(FieldProblem::Characters { allowed: ALLOWED });
        }
        Ok(Self(text.into()))
    }

    /// Returns the tenant that stands for the installation itself.
    #[must_use]
    pub fn platform() -> Self {
        Self("platform".into())
    }

    /// Returns whether this stands for the installation itself.
    #[must_use]
    pub fn is_platform(&self) -> bool {
        &*self.0 == "platform"
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The platform's own id of a user. Personal data: often an e-mail address, so `Debug` tells nothing.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct UserId(Box<str>);

impl UserId {
    /// Checks and takes a user's id: 1 to 256 bytes without control characters.
    ///
    /// # Errors
    /// Says what is wrong with its length or characters.
    pub fn parse(text: &str) -> Result<Self, FieldProblem> {
        check_text(text, 256, "characters other than control characters", |c| !c.is_control())?;
        Ok(Self(text.into()))
    }

    /// Returns the text. Every call is a place to audit.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// A keyed hash of tenant and user id that stands for the user in stream names: 128 bits, so that no two users meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct UserKey([u8; 16]);

impl UserKey {
    /// Wraps the hash.
    #[must_use]
    pub const fn new(hash: [u8; 16]) -> Self {
        Self(hash)
    }

    /// Returns the hash.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// Prints 32 lower-case hexadecimal digits.
impl fmt::Display for UserKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

impl FromStr for UserKey {
    type Err = FieldProblem;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = data_encoding::HEXLOWER.decode(text.as_bytes()).map_err(|_| {
            FieldProblem::Characters { allowed: "32 lower-case hexadecimal digits" }
        })?;
        let actual = bytes.len();
        let hash = <[u8; 16]>::try_from(bytes).map_err(|_| FieldProblem::Length {
            min: 16,
            max: 16,
            actual,
        })?;
        Ok(Self(hash))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_bounded_in_length_and_characters() {
        assert!(ApplicationId::parse("vpn.office_1").is_ok());
        assert_eq!(ApplicationId::parse(""), Err(FieldProblem::Missing));
        assert!(matches!(ApplicationId::parse("VPN"), Err(FieldProblem::Characters { .. })));
        let long = "a".repeat(65);
        let problem = FieldProblem::Length { min: 1, max: 64, actual: 65 };
        assert_eq!(ApplicationId::parse(&long), Err(problem));
    }

    #[test]
    fn a_tenant_begins_and_ends_with_a_letter_or_digit() {
        assert!(TenantId::parse("acme-1").is_ok());
        assert!(TenantId::parse("-acme").is_err());
        assert!(TenantId::parse("acme-").is_err());
        assert!(TenantId::parse("a.b").is_err());
    }

    #[test]
    fn a_user_id_is_personal_and_stays_out_of_debug() {
        let user = UserId::parse("alice@example.com").unwrap();
        assert_eq!(format!("{user:?}"), "[redacted]");
        assert!(UserId::parse("a\nb").is_err());
    }

    #[test]
    fn a_uuid_is_taken_in_its_hyphenated_form_only() {
        let text = "0190163d-8694-739b-aea5-966c26f8ad91";
        assert_eq!(ChallengeId::parse(text).unwrap().to_string(), text);
        let simple = "0190163d8694739baea5966c26f8ad91";
        assert_eq!(ChallengeId::parse(simple), Err(FieldProblem::NotUuid));
    }

    #[test]
    fn a_user_key_survives_printing_and_parsing() {
        let key = UserKey::new([7; 16]);
        assert_eq!(key.to_string().parse::<UserKey>(), Ok(key));
        assert!("07".parse::<UserKey>().is_err());
    }
}
