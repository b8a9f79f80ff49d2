//! Translation of events of API keys and organisations between domain words and the stored schema.

use countersign_core::{KeyId, OrganisationId};
use countersign_proto::event as wire;

use super::super::{
    ApiKeyIssued, ApiKeyRevoked, ApiKeyRotated, ApiKeyUsed, OrganisationCreated, Role,
};
use crate::wire::{BadPayload, required_timestamp, timestamp_from_wire, timestamp_to_wire};

fn key_id(text: &str) -> Result<KeyId, BadPayload> {
    KeyId::parse(text).map_err(|_| BadPayload::field("key_id"))
}

fn secret_hash(bytes: &[u8]) -> Result<[u8; 32], BadPayload> {
    <[u8; 32]>::try_from(bytes).map_err(|_| BadPayload::field("secret_hash"))
}

fn organisation_id(text: &str) -> Result<OrganisationId, BadPayload> {
    OrganisationId::parse(text).map_err(|_| BadPayload::field("organisation_id"))
}

impl From<&ApiKeyIssued> for wire::ApiKeyIssued {
    fn from(event: &ApiKeyIssued) -> Self {
        let organisation_id = event.organisation_id.as_ref();
        Self {
            key_id: event.key_id.to_string(),
            display_name: event.display_name.clone(),
            secret_hash: event.secret_hash.to_vec().into(),
            roles: event.roles.iter().map(|role| role.to_wire().into()).collect(),
            issued_at: Some(timestamp_to_wire(event.issued_at)),
            expires_at: event.expires_at.map(timestamp_to_wire),
            organisation_id: organisation_id.map(ToString::to_string).unwrap_or_default(),
            allowed_addresses: event.allowed_addresses.clone(),
        }
    }
}

impl TryFrom<wire::ApiKeyIssued> for ApiKeyIssued {
    type Error = BadPayload;

    fn try_from(event: wire::ApiKeyIssued) -> Result<Self, BadPayload> {
        let confined = !event.organisation_id.is_empty();
        Ok(Self {
            key_id: key_id(&event.key_id)?,
            secret_hash: secret_hash(&event.secret_hash)?,
            roles: event.roles().map(Role::from_wire).collect::<Result<_, BadPayload>>()?,
            issued_at: required_timestamp(event.issued_at.as_ref(), "issued_at")?,
            expires_at: event.expires_at.as_ref().map(timestamp_from_wire),
            organisation_id: confined
                .then(|| organisation_id(&event.organisation_id))
                .transpose()?,
            allowed_addresses: event.allowed_addresses,
            display_name: event.display_name,
        })
    }
}

impl From<&ApiKeyRotated> for wire::ApiKeyRotated {
    fn from(event: &ApiKeyRotated) -> Self {
        Self {
            key_id: event.key_id.to_string(),
            secret_hash: event.secret_hash.to_vec().into(),
            rotated_at: Some(timestamp_to_wire(event.rotated_at)),
            previous_until: Some(timestamp_to_wire(event.previous_until)),
        }
    }
}

impl TryFrom<wire::ApiKeyRotated> for ApiKeyRotated {
    type Error = BadPayload;

    fn try_from(event: wire::ApiKeyRotated) -> Result<Self, BadPayload> {
        Ok(Self {
            key_id: key_id(&event.key_id)?,
            secret_hash: secret_hash(&event.secret_hash)?,
            rotated_at: required_timestamp(event.rotated_at.as_ref(), "rotated_at")?,
            previous_until: required_timestamp(event.previous_until.as_ref(), "previous_until")?,
        })
    }
}

impl From<&ApiKeyUsed> for wire::ApiKeyUsed {
    fn from(event: &ApiKeyUsed) -> Self {
        Self { key_id: event.key_id.to_string(), used_at: Some(timestamp_to_wire(event.used_at)) }
    }
}

impl TryFrom<wire::ApiKeyUsed> for ApiKeyUsed {
    type Error = BadPayload;

    fn try_from(event: wire::ApiKeyUsed) -> Result<Self, BadPayload> {
        Ok(Self {
            key_id: key_id(&event.key_id)?,
            used_at: required_timestamp(event.used_at.as_ref(), "used_at")?,
        })
    }
}

impl From<&ApiKeyRevoked> for wire::ApiKeyRevoked {
    fn from(event: &ApiKeyRevoked) -> Self {
        Self { key_id: event.key_id.to_string() }
    }
}

impl TryFrom<wire::ApiKeyRevoked> for ApiKeyRevoked {
    type Error = BadPayload;

    fn try_from(event: wire::ApiKeyRevoked) -> Result<Self, BadPayload> {
        Ok(Self { key_id: key_id(&event.key_id)? })
    }
}

impl From<&OrganisationCreated> for wire::OrganisationCreated {
    fn from(event: &OrganisationCreated) -> Self {
        Self {
            organisation_id: event.organisation_id.to_string(),
            display_name: event.display_name.clone(),
        }
    }
}

impl TryFrom<wire::OrganisationCreated> for OrganisationCreated {
    type Error = BadPayload;

    fn try_from(event: wire::OrganisationCreated) -> Result<Self, BadPayload> {
        Ok(Self {
            organisation_id: organisation_id(&event.organisation_id)?,
            display_name: event.display_name,
        })
    }
}
