//! The life of an API key: issue, rotate, use, end.

mod convert;

use std::time::Duration;

use countersign_core::{KeyId, OrganisationId, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    ApiKeyIssued, ApiKeyRevoked, ApiKeyRotated, ApiKeyUsed, Event, Rejection, Role, State,
};

/// How many API keys a tenant may have, revoked and expired ones not counted.
pub const MAX_API_KEYS: usize = 100;

/// How exactly the last use of a key is told: an event for every use would drown the others.
pub const USE_TOLD_EVERY: Duration = Duration::from_secs(3_600);

/// An API key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ApiKey {
    /// What it is for.
    pub display_name: String,
    /// SHA-256 of its secret.
    pub secret_hash: [u8; 32],
    /// What it may do.
    pub roles: Vec<Role>,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// When it ends; `None` if never.
    pub expires_at: Option<Timestamp>,
    /// Whether it was ended.
    pub revoked: bool,
    /// The organisation that it is confined to.
    pub organisation_id: Option<OrganisationId>,
    /// Addresses (CIDR) that it may be used from; any if there are none.
    pub allowed_addresses: Vec<String>,
    /// The secret before this one; `None` if it was never rotated.
    pub previous: Option<PreviousSecret>,
    /// When it was last used, exact to [`USE_TOLD_EVERY`].
    pub last_used_at: Option<Timestamp>,
}

/// The secret that a key had before it was rotated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PreviousSecret {
    /// SHA-256 of the secret.
    pub secret_hash: [u8; 32],
    /// When the key was given its present secret.
    pub rotated_at: Timestamp,
    /// Until when this one goes on working.
    pub until: Timestamp,
}

impl ApiKey {
    /// Returns whether it opens anything at `now`.
    #[must_use]
    pub fn is_usable(&self, now: Timestamp) -> bool {
        !self.revoked && self.expires_at.is_none_or(|end| now < end)
    }

    /// Returns the hashes of secrets that open it at `now`, of which there are always two: the second is the first again
    /// where there is no other.
    #[must_use]
    pub fn secret_hashes(&self, now: Timestamp) -> [&[u8; 32]; 2] {
        let previous = self.previous.as_ref().filter(|previous| now < previous.until);
        [&self.secret_hash, previous.map_or(&self.secret_hash, |previous| &previous.secret_hash)]
    }

    /// Returns whether a use at `now` is to be told.
    #[must_use]
    pub fn is_use_news(&self, now: Timestamp) -> bool {
        self.last_used_at.is_none_or(|last| last < whole_hour(now))
    }
}

/// Returns the beginning of the hour of `instant`.
fn whole_hour(instant: Timestamp) -> Timestamp {
    let every = i64::try_from(USE_TOLD_EVERY.as_secs()).unwrap_or(i64::MAX);
    let seconds = instant.unix_seconds();
    Timestamp::from_unix_seconds(seconds.saturating_sub(seconds.rem_euclid(every)))
}

/// Issues an API key.
#[derive(Clone, Debug, PartialEq)]
pub struct IssueApiKey {
    /// Its id, new.
    pub key_id: KeyId,
    /// What it is for.
    pub display_name: String,
    /// SHA-256 of its secret.
    pub secret_hash: [u8; 32],
    /// What it may do.
    pub roles: Vec<Role>,
    /// The present instant.
    pub now: Timestamp,
    /// When it ends; `None` if never.
    pub expires_at: Option<Timestamp>,
    /// The organisation that it is confined to.
    pub organisation_id: Option<OrganisationId>,
    /// Addresses (CIDR) that it may be used from; any if there are none.
    pub allowed_addresses: Vec<String>,
}

impl IssueApiKey {
    pub(super) fn decide(self, state: &State) -> Result<Vec<Event>, Rejection> {
        if state.api_keys().filter(|(_, key)| key.is_usable(self.now)).count() >= MAX_API_KEYS {
            return Err(Rejection::TooManyApiKeys);
        }
        if self.organisation_id.as_ref().is_some_and(|id| state.organisation(id).is_none()) {
            return Err(Rejection::OrganisationNotFound);
        }
        Ok(vec![Event::ApiKeyIssued(ApiKeyIssued {
            key_id: self.key_id,
            display_name: self.display_name,
            secret_hash: self.secret_hash,
            roles: self.roles,
            issued_at: self.now,
            expires_at: self.expires_at,
            organisation_id: self.organisation_id,
            allowed_addresses: self.allowed_addresses,
        })])
    }
}

/// Gives an API key a fresh secret.
#[derive(Clone, Debug, PartialEq)]
pub struct RotateApiKey {
    /// The key.
    pub key_id: KeyId,
    /// SHA-256 of its fresh secret.
    pub secret_hash: [u8; 32],
    /// The present instant.
    pub now: Timestamp,
    /// For how long the previous secret goes on working.
    pub overlap: Duration,
}

impl RotateApiKey {
    pub(super) fn decide(self, state: &State) -> Result<Vec<Event>, Rejection> {
        let key = state.api_key(&self.key_id).filter(|key| key.is_usable(self.now));
        key.ok_or(Rejection::ApiKeyNotFound)?;
        Ok(vec![Event::ApiKeyRotated(ApiKeyRotated {
            key_id: self.key_id,
            secret_hash: self.secret_hash,
            rotated_at: self.now,
            previous_until: self.now.plus(self.overlap),
        })])
    }
}

/// Notes that an API key was used.
#[derive(Clone, Debug, PartialEq)]
pub struct NoteApiKeyUse {
    /// The key.
    pub key_id: KeyId,
    /// The present instant.
    pub now: Timestamp,
}

impl NoteApiKeyUse {
    pub(super) fn decide(self, state: &State) -> Result<Vec<Event>, Rejection> {
        let key = state.api_key(&self.key_id).ok_or(Rejection::ApiKeyNotFound)?;
        if !key.is_use_news(self.now) {
            return Ok(vec![]);
        }
        let used_at = whole_hour(self.now);
        Ok(vec![Event::ApiKeyUsed(ApiKeyUsed { key_id: self.key_id, used_at })])
    }
}

/// Ends an API key.
#[derive(Clone, Debug, PartialEq)]
pub struct RevokeApiKey {
    /// The key.
    pub key_id: KeyId,
}

impl RevokeApiKey {
    pub(super) fn decide(self, state: &State) -> Result<Vec<Event>, Rejection> {
        if state.api_key(&self.key_id).ok_or(Rejection::ApiKeyNotFound)?.revoked {
            return Ok(vec![]);
        }
        Ok(vec![Event::ApiKeyRevoked(ApiKeyRevoked { key_id: self.key_id })])
    }
}

#[cfg(test)]
mod tests;
