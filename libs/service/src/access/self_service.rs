//! Self-service tokens: a user's own key to their own authenticators, for some minutes.
//!
//! `css_{tenant}.{token id}.{end}.{user id}.{tag}`: the end in Unix seconds, the user's id and the tag in base64url. The tag
//! can only be made by processes of this installation, so a token is checked without looking anything up. It is no JWT:
//! nobody else has to read it, and what has one form cannot be confused about its algorithm.

use std::{fmt, time::Duration};

use countersign_core::{SecretString, TenantId, Timestamp, TokenId, UserId};
use countersign_keys::UserVault;
use data_encoding::BASE64URL_NOPAD;

/// What every token begins with, so that leaked ones are found by scanners.
pub(crate) const PREFIX: &str = "css_";

/// Keeps these tags from being taken for others.
const PURPOSE: &str = "self-service token";

/// The longest that a token lasts.
pub const LONGEST_LIFETIME: Duration = Duration::from_secs(15 * 60);

/// A user's own key to their own authenticators.
#[derive(Clone, PartialEq, Eq)]
pub struct SelfServiceToken {
    /// The user's tenant.
    pub tenant: TenantId,
    /// Names it in the log.
    pub token_id: TokenId,
    /// The user.
    pub user_id: UserId,
    /// When it ends.
    pub expires_at: Timestamp,
}

impl fmt::Debug for SelfServiceToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}.{}.[redacted]", self.tenant, self.token_id)
    }
}

impl SelfServiceToken {
    /// Writes the token with its tag, to be given to the user.
    #[must_use]
    pub fn reveal(&self, vault: &UserVault) -> SecretString {
        let statement = self.statement();
        let tag = BASE64URL_NOPAD.encode(&vault.tag(PURPOSE, statement.as_bytes()));
        SecretString::new(format!("{PREFIX}{statement}.{tag}"))
    }

    /// Reads a token that is right and has not ended at `now`; `None` for anything else.
    #[must_use]
    pub fn verify(text: &str, vault: &UserVault, now: Timestamp) -> Option<Self> {
        let (statement, tag) = text.strip_prefix(PREFIX)?.rsplit_once('.')?;
        let expected = BASE64URL_NOPAD.encode(&vault.tag(PURPOSE, statement.as_bytes()));
        if !countersign_crypto::constant_time_eq(tag.as_bytes(), expected.as_bytes()) {
            return None;
        }
        let token = Self::parse(statement)?;
        // One form only, and never a longer life than is given.
        let longest = now.plus(LONGEST_LIFETIME);
        let is_alive = now < token.expires_at && token.expires_at <= longest;
        (is_alive && token.statement() == statement).then_some(token)
    }

    fn parse(statement: &str) -> Option<Self> {
        let mut parts = statement.split('.');
        let (tenant, token_id) = (parts.next()?, parts.next()?);
        let (end, user_id) = (parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        let user_id = BASE64URL_NOPAD.decode(user_id.as_bytes()).ok()?;
        Some(Self {
            tenant: TenantId::parse(tenant).ok()?,
            token_id: TokenId::parse(token_id).ok()?,
            user_id: UserId::parse(std::str::from_utf8(&user_id).ok()?).ok()?,
            expires_at: Timestamp::from_unix_seconds(end.parse().ok()?),
        })
    }

    fn statement(&self) -> String {
        let user_id = BASE64URL_NOPAD.encode(self.user_id.expose().as_bytes());
        let end = self.expires_at.unix_seconds();
        format!("{}.{}.{end}.{user_id}", self.tenant, self.token_id)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use countersign_keys::LocalKeys;
    use uuid::Uuid;

    use super::*;
    use crate::OsRandom;

    const NOW: Timestamp = Timestamp::from_unix_seconds(1_000);

    fn vault() -> (tempfile::TempDir, UserVault) {
        let directory = tempfile::tempdir().unwrap();
        let keys = LocalKeys::open(&directory.path().join("keys"), Arc::new(OsRandom)).unwrap();
        (directory, keys.vault())
    }

    fn token(seconds: i64) -> SelfServiceToken {
        SelfServiceToken {
            tenant: TenantId::parse("acme").unwrap(),
            token_id: TokenId::new(Uuid::from_u128(7)),
            user_id: UserId::parse("ann.lee@example.com").unwrap(),
            expires_at: NOW.plus(Duration::from_secs(u64::try_from(seconds).unwrap())),
        }
    }

    #[test]
    fn a_token_is_read_until_it_ends() {
        let (_directory, vault) = vault();
        let text = token(300).reveal(&vault);
        let read = |now| SelfServiceToken::verify(text.expose(), &vault, now);
        assert_eq!(read(NOW), Some(token(300)));
        assert_eq!(read(token(299).expires_at), Some(token(300)));
        assert_eq!(read(token(300).expires_at), None);
        // A clock that is far behind does not lengthen its life.
        assert_eq!(read(Timestamp::from_unix_seconds(0)), None);
        assert!(!format!("{:?}", token(300)).contains("ann"));
    }

    #[test]
    fn a_token_that_was_altered_or_made_elsewhere_is_not_read() {
        let ((_directory, vault), (_other_directory, other)) = (vault(), self::vault());
        let text = token(300).reveal(&vault);
        assert_eq!(SelfServiceToken::verify(text.expose(), &other, NOW), None);
        for place in 0..text.expose().len() {
            let mut bytes = text.expose().as_bytes().to_vec();
            bytes[place] = if bytes[place] == b'a' { b'b' } else { b'a' };
            let altered = String::from_utf8(bytes).unwrap();
            assert_eq!(SelfServiceToken::verify(&altered, &vault, NOW), None, "{place}");
        }
        for text in ["", PREFIX, "css_.", "css_a.b.c.d.e", "css_...."] {
            assert_eq!(SelfServiceToken::verify(text, &vault, NOW), None, "{text}");
        }
    }

    #[test]
    fn a_tag_of_another_purpose_opens_nothing() {
        let (_directory, vault) = vault();
        let statement = token(300).statement();
        let tag = BASE64URL_NOPAD.encode(&vault.tag("peer", statement.as_bytes()));
        let text = format!("{PREFIX}{statement}.{tag}");
        assert_eq!(SelfServiceToken::verify(&text, &vault, NOW), None);
    }
}
