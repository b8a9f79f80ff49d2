//! Translation of events between domain words and the stored schema.

use countersign_proto::event as wire;

use super::{
    AssertionKeyPublished, AssertionKeysWithdrawn, Event, KeyProviderChanged, KeyVersionAdded,
    KeyVersionsRetired, Keyring, KeyringRewrapped, KeysFounded, KeysRewrapped,
    SecretRotationAdvanced, SecretRotationBegun, SecretRotationCompleted,
};
use crate::wire::{
    BadPayload, event_codec, required_timestamp, timestamp_from_wire, timestamp_to_wire,
};

event_codec!(Keyring, state version 1, {
    KeysFounded v 1,
    KeyVersionAdded v 1,
    KeysRewrapped v 1,
    KeyVersionsRetired v 1,
    KeyringRewrapped v 1,
    KeyProviderChanged v 1,
    AssertionKeyPublished v 1,
    AssertionKeysWithdrawn v 1,
    SecretRotationBegun v 1,
    SecretRotationAdvanced v 1,
    SecretRotationCompleted v 1,
});

impl From<&KeysFounded> for wire::KeysFounded {
    fn from(event: &KeysFounded) -> Self {
        Self {
            fingerprint: event.fingerprint.to_string(),
            seen_at: Some(timestamp_to_wire(event.seen_at)),
        }
    }
}

impl TryFrom<wire::KeysFounded> for KeysFounded {
    type Error = BadPayload;

    fn try_from(event: wire::KeysFounded) -> Result<Self, BadPayload> {
        Ok(Self {
            fingerprint: event.fingerprint.into(),
            seen_at: required_timestamp(event.seen_at.as_ref(), "seen_at")?,
        })
    }
}

impl From<&KeyVersionAdded> for wire::KeyVersionAdded {
    fn from(event: &KeyVersionAdded) -> Self {
        Self { version: event.version, seen_at: Some(timestamp_to_wire(event.seen_at)) }
    }
}

impl TryFrom<wire::KeyVersionAdded> for KeyVersionAdded {
    type Error = BadPayload;

    fn try_from(event: wire::KeyVersionAdded) -> Result<Self, BadPayload> {
        Ok(Self {
            version: event.version,
            seen_at: required_timestamp(event.seen_at.as_ref(), "seen_at")?,
        })
    }
}

impl From<&KeysRewrapped> for wire::KeysRewrapped {
    fn from(event: &KeysRewrapped) -> Self {
        Self {
            version: event.version,
            keys: event.keys,
            seen_at: Some(timestamp_to_wire(event.seen_at)),
        }
    }
}

impl TryFrom<wire::KeysRewrapped> for KeysRewrapped {
    type Error = BadPayload;

    fn try_from(event: wire::KeysRewrapped) -> Result<Self, BadPayload> {
        Ok(Self {
            version: event.version,
            keys: event.keys,
            seen_at: required_timestamp(event.seen_at.as_ref(), "seen_at")?,
        })
    }
}

impl From<&KeyVersionsRetired> for wire::KeyVersionsRetired {
    fn from(event: &KeyVersionsRetired) -> Self {
        Self { versions: event.versions.clone(), seen_at: Some(timestamp_to_wire(event.seen_at)) }
    }
}

impl TryFrom<wire::KeyVersionsRetired> for KeyVersionsRetired {
    type Error = BadPayload;

    fn try_from(event: wire::KeyVersionsRetired) -> Result<Self, BadPayload> {
        Ok(Self {
            versions: event.versions,
            seen_at: required_timestamp(event.seen_at.as_ref(), "seen_at")?,
        })
    }
}

impl From<&KeyringRewrapped> for wire::KeyringRewrapped {
    fn from(event: &KeyringRewrapped) -> Self {
        Self {
            provider: event.provider.to_string(),
            seen_at: Some(timestamp_to_wire(event.seen_at)),
        }
    }
}

impl TryFrom<wire::KeyringRewrapped> for KeyringRewrapped {
    type Error = BadPayload;

    fn try_from(event: wire::KeyringRewrapped) -> Result<Self, BadPayload> {
        Ok(Self {
            provider: event.provider.into(),
            seen_at: required_timestamp(event.seen_at.as_ref(), "seen_at")?,
        })
    }
}

impl From<&KeyProviderChanged> for wire::KeyProviderChanged {
    fn from(event: &KeyProviderChanged) -> Self {
        Self {
            provider: event.provider.to_string(),
            seen_at: Some(timestamp_to_wire(event.seen_at)),
        }
    }
}

impl TryFrom<wire::KeyProviderChanged> for KeyProviderChanged {
    type Error = BadPayload;

    fn try_from(event: wire::KeyProviderChanged) -> Result<Self, BadPayload> {
        Ok(Self {
            provider: event.provider.into(),
            seen_at: required_timestamp(event.seen_at.as_ref(), "seen_at")?,
        })
    }
}

impl From<&AssertionKeyPublished> for wire::AssertionKeyPublished {
    fn from(event: &AssertionKeyPublished) -> Self {
        Self {
            kid: event.kid.to_string(),
            algorithm: event.algorithm.to_string(),
            signs_from: event.signs_from.map(timestamp_to_wire),
            seen_at: Some(timestamp_to_wire(event.seen_at)),
        }
    }
}

impl TryFrom<wire::AssertionKeyPublished> for AssertionKeyPublished {
    type Error = BadPayload;

    fn try_from(event: wire::AssertionKeyPublished) -> Result<Self, BadPayload> {
        Ok(Self {
            signs_from: event.signs_from.as_ref().map(timestamp_from_wire),
            seen_at: required_timestamp(event.seen_at.as_ref(), "seen_at")?,
            kid: event.kid.into(),
            algorithm: event.algorithm.into(),
        })
    }
}

impl From<&AssertionKeysWithdrawn> for wire::AssertionKeysWithdrawn {
    fn from(event: &AssertionKeysWithdrawn) -> Self {
        Self {
            kids: event.kids.iter().map(ToString::to_string).collect(),
            seen_at: Some(timestamp_to_wire(event.seen_at)),
        }
    }
}

impl TryFrom<wire::AssertionKeysWithdrawn> for AssertionKeysWithdrawn {
    type Error = BadPayload;

    fn try_from(event: wire::AssertionKeysWithdrawn) -> Result<Self, BadPayload> {
        Ok(Self {
            kids: event.kids.into_iter().map(Into::into).collect(),
            seen_at: required_timestamp(event.seen_at.as_ref(), "seen_at")?,
        })
    }
}

impl From<&SecretRotationBegun> for wire::SecretRotationBegun {
    fn from(event: &SecretRotationBegun) -> Self {
        Self { rotation: event.rotation, begun_at: Some(timestamp_to_wire(event.begun_at)) }
    }
}

impl TryFrom<wire::SecretRotationBegun> for SecretRotationBegun {
    type Error = BadPayload;

    fn try_from(event: wire::SecretRotationBegun) -> Result<Self, BadPayload> {
        Ok(Self {
            rotation: event.rotation,
            begun_at: required_timestamp(event.begun_at.as_ref(), "begun_at")?,
        })
    }
}

impl From<&SecretRotationAdvanced> for wire::SecretRotationAdvanced {
    fn from(event: &SecretRotationAdvanced) -> Self {
        let SecretRotationAdvanced { rotation, users_done, users_total } = *event;
        Self { rotation, users_done, users_total }
    }
}

impl TryFrom<wire::SecretRotationAdvanced> for SecretRotationAdvanced {
    type Error = BadPayload;

    fn try_from(event: wire::SecretRotationAdvanced) -> Result<Self, BadPayload> {
        let wire::SecretRotationAdvanced { rotation, users_done, users_total } = event;
        Ok(Self { rotation, users_done, users_total })
    }
}

impl From<&SecretRotationCompleted> for wire::SecretRotationCompleted {
    fn from(event: &SecretRotationCompleted) -> Self {
        let SecretRotationCompleted { rotation, users, secrets, completed_at } = *event;
        Self { rotation, users, secrets, completed_at: Some(timestamp_to_wire(completed_at)) }
    }
}

impl TryFrom<wire::SecretRotationCompleted> for SecretRotationCompleted {
    type Error = BadPayload;

    fn try_from(event: wire::SecretRotationCompleted) -> Result<Self, BadPayload> {
        Ok(Self {
            rotation: event.rotation,
            users: event.users,
            secrets: event.secrets,
            completed_at: required_timestamp(event.completed_at.as_ref(), "completed_at")?,
        })
    }
}
