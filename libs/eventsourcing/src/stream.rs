//! Names of streams and places in them.

use std::{fmt, str::FromStr, sync::Arc};

use countersign_core::{FieldProblem, TenantId};
use serde::{Deserialize, Serialize};

/// Names one stream: `{category}-{tenant}.{key}`.
///
/// Cheap to clone. The three parts can be told apart again: a category has only lower-case letters, a tenant has no dot.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(Arc<str>);

impl StreamId {
    /// Greatest length of a name in bytes.
    pub const MAX_LEN: usize = 160;

    /// Names the stream of `key` in `category` of `tenant`.
    ///
    /// # Errors
    /// Says what is wrong with the category (1 to 32 of `[a-z]`) or the key (1 to 80 of `[A-Za-z0-9._-]`).
    pub fn new(category: &str, tenant: &TenantId, key: &str) -> Result<Self, FieldProblem> {
        if category.is_empty()
            || category.len() > 32
            || !category.bytes().all(|b| b.is_ascii_lowercase())
        {
            return Err(FieldProblem::Other("a category has 1 to 32 lower-case letters"));
        }
        let key_is_plain =
            key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
        if key.is_empty() || key.len() > 80 || !key_is_plain {
            return Err(FieldProblem::Other(
                "a stream's key has 1 to 80 letters, digits, '.', '_' and '-'",
            ));
        }
        Ok(Self(format!("{category}-{tenant}.{key}").into()))
    }

    /// Returns the whole name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns what comes before the first hyphen.
    #[must_use]
    pub fn category(&self) -> &str {
        self.0.split_once('-').map_or("", |(category, _)| category)
    }

    /// Returns the tenant's name.
    #[must_use]
    pub fn tenant(&self) -> &str {
        self.rest().split_once('.').map_or("", |(tenant, _)| tenant)
    }

    /// Returns what comes after the tenant.
    #[must_use]
    pub fn key(&self) -> &str {
        self.rest().split_once('.').map_or("", |(_, key)| key)
    }

    fn rest(&self) -> &str {
        self.0.split_once('-').map_or("", |(_, rest)| rest)
    }
}

impl FromStr for StreamId {
    type Err = FieldProblem;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: FieldProblem =
            FieldProblem::Other("a stream is named `{category}-{tenant}.{key}`");
        let (category, rest) = text.split_once('-').ok_or(FORM)?;
        let (tenant, key) = rest.split_once('.').ok_or(FORM)?;
        Self::new(category, &TenantId::parse(tenant)?, key)
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Place of an event in its stream, from 0 without gaps.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Revision(pub u64);

impl Revision {
    /// The first event of a stream.
    pub const START: Self = Self(0);

    /// Returns the place after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_name_can_be_told_apart_again() {
        let tenant = TenantId::parse("acme-eu").unwrap();
        let stream = StreamId::new("challenges", &tenant, "0a.b-c").unwrap();
        assert_eq!(stream.as_str(), "challenges-acme-eu.0a.b-c");
        assert_eq!(stream.category(), "challenges");
        assert_eq!(stream.tenant(), "acme-eu");
        assert_eq!(stream.key(), "0a.b-c");
        assert_eq!(stream.as_str().parse::<StreamId>().unwrap(), stream);
    }

    #[test]
    fn a_name_that_cannot_be_told_apart_is_refused() {
        let tenant = TenantId::parse("acme").unwrap();
        assert!(StreamId::new("user-x", &tenant, "k").is_err());
        assert!(StreamId::new("", &tenant, "k").is_err());
        assert!(StreamId::new("user", &tenant, "").is_err());
        assert!(StreamId::new("user", &tenant, "a b").is_err());
        assert!("user-acme".parse::<StreamId>().is_err());
    }
}
