//! Translation of events between domain words and the stored schema.

use countersign_core::{AuthenticatorId, OrganisationId, TokenId};
use countersign_crypto::Sealed;
use countersign_proto::event as wire;

use super::{
    AbandonReason, AuthenticatorReinstated, AuthenticatorRemoved, AuthenticatorRenamed,
    AuthenticatorSuspended, DefaultAuthenticatorSet, EnrollmentAbandoned, EnrollmentAttemptFailed,
    EnrollmentConfirmed, EnrollmentStarted, Event, Pass, Placement, RecoveryCodesIssued,
    SecretsResealed, SelfServiceTokenIssued, TemporaryAccessPassIssued, UserAuthenticators,
    UserErased, UserPlaced,
};
use crate::wire::{
    BadPayload, authenticator_id, event_codec, required_sealed, required_timestamp, sealed_to_wire,
    timestamp_to_wire,
};

event_codec!(UserAuthenticators, state version 6, {
    EnrollmentStarted v 1,
    EnrollmentConfirmed v 1,
    EnrollmentAttemptFailed v 1,
    EnrollmentAbandoned v 1,
    AuthenticatorRenamed v 1,
    DefaultAuthenticatorSet v 1,
    AuthenticatorSuspended v 1,
    AuthenticatorReinstated v 1,
    AuthenticatorRemoved v 1,
    RecoveryCodesIssued v 1,
    UserPlaced v 1,
    SelfServiceTokenIssued v 1,
    UserErased v 1,
    TemporaryAccessPassIssued v 1,
    SecretsResealed v 1,
});

impl From<&EnrollmentStarted> for wire::EnrollmentStarted {
    fn from(event: &EnrollmentStarted) -> Self {
        Self {
            authenticator_id: event.authenticator_id.to_string(),
            kind: event.kind.to_string(),
            display_name: Some(sealed_to_wire(&event.display_name)),
            user_id: Some(sealed_to_wire(&event.user_id)),
            record: Some(sealed_to_wire(&event.record)),
            parameters: event.parameters.clone().into_iter().collect(),
            expires_at: Some(timestamp_to_wire(event.expires_at)),
            started_at: Some(timestamp_to_wire(event.started_at)),
        }
    }
}

impl TryFrom<wire::EnrollmentStarted> for EnrollmentStarted {
    type Error = BadPayload;

    fn try_from(event: wire::EnrollmentStarted) -> Result<Self, BadPayload> {
        Ok(Self {
            authenticator_id: authenticator_id(&event.authenticator_id, "authenticator_id")?,
            kind: event.kind.into(),
            display_name: required_sealed(event.display_name, "display_name")?,
            user_id: required_sealed(event.user_id, "user_id")?,
            record: required_sealed(event.record, "record")?,
            parameters: event.parameters.into_iter().collect(),
            expires_at: required_timestamp(event.expires_at.as_ref(), "expires_at")?,
            started_at: required_timestamp(event.started_at.as_ref(), "started_at")?,
        })
    }
}

impl From<&EnrollmentConfirmed> for wire::EnrollmentConfirmed {
    fn from(event: &EnrollmentConfirmed) -> Self {
        Self {
            authenticator_id: event.authenticator_id.to_string(),
            consumed_factor: event.consumed_factor,
            confirmed_at: Some(timestamp_to_wire(event.confirmed_at)),
        }
    }
}

impl TryFrom<wire::EnrollmentConfirmed> for EnrollmentConfirmed {
    type Error = BadPayload;

    fn try_from(event: wire::EnrollmentConfirmed) -> Result<Self, BadPayload> {
        Ok(Self {
            authenticator_id: authenticator_id(&event.authenticator_id, "authenticator_id")?,
            consumed_factor: event.consumed_factor,
            confirmed_at: required_timestamp(event.confirmed_at.as_ref(), "confirmed_at")?,
        })
    }
}

impl From<&EnrollmentAttemptFailed> for wire::EnrollmentAttemptFailed {
    fn from(event: &EnrollmentAttemptFailed) -> Self {
        Self {
            authenticator_id: event.authenticator_id.to_string(),
            attempts_left: event.attempts_left,
        }
    }
}

impl TryFrom<wire::EnrollmentAttemptFailed> for EnrollmentAttemptFailed {
    type Error = BadPayload;

    fn try_from(event: wire::EnrollmentAttemptFailed) -> Result<Self, BadPayload> {
        Ok(Self {
            authenticator_id: authenticator_id(&event.authenticator_id, "authenticator_id")?,
            attempts_left: event.attempts_left,
        })
    }
}

impl From<&EnrollmentAbandoned> for wire::EnrollmentAbandoned {
    fn from(event: &EnrollmentAbandoned) -> Self {
        let reason = match event.reason {
            AbandonReason::Expired => wire::AbandonReason::Expired,
            AbandonReason::Superseded => wire::AbandonReason::Superseded,
            AbandonReason::AttemptsExhausted => wire::AbandonReason::AttemptsExhausted,
        };
        Self { authenticator_id: event.authenticator_id.to_string(), reason: reason.into() }
    }
}

impl TryFrom<wire::EnrollmentAbandoned> for EnrollmentAbandoned {
    type Error = BadPayload;

    fn try_from(event: wire::EnrollmentAbandoned) -> Result<Self, BadPayload> {
        let reason = match event.reason() {
            wire::AbandonReason::Expired => AbandonReason::Expired,
            wire::AbandonReason::Superseded => AbandonReason::Superseded,
            wire::AbandonReason::AttemptsExhausted => AbandonReason::AttemptsExhausted,
            wire::AbandonReason::Unspecified => return Err(BadPayload::field("reason")),
        };
        Ok(Self {
            authenticator_id: authenticator_id(&event.authenticator_id, "authenticator_id")?,
            reason,
        })
    }
}

impl From<&AuthenticatorRenamed> for wire::AuthenticatorRenamed {
    fn from(event: &AuthenticatorRenamed) -> Self {
        Self {
            authenticator_id: event.authenticator_id.to_string(),
            display_name: Some(sealed_to_wire(&event.display_name)),
        }
    }
}

impl TryFrom<wire::AuthenticatorRenamed> for AuthenticatorRenamed {
    type Error = BadPayload;

    fn try_from(event: wire::AuthenticatorRenamed) -> Result<Self, BadPayload> {
        Ok(Self {
            authenticator_id: authenticator_id(&event.authenticator_id, "authenticator_id")?,
            display_name: required_sealed(event.display_name, "display_name")?,
        })
    }
}

/// Events that hold nothing but an authenticator's id.
macro_rules! id_only {
    ($($event:ident),+) => {$(
        impl From<&$event> for wire::$event {
            fn from(event: &$event) -> Self {
                Self { authenticator_id: event.authenticator_id.to_string() }
            }
        }

        impl TryFrom<wire::$event> for $event {
            type Error = BadPayload;

            fn try_from(event: wire::$event) -> Result<Self, BadPayload> {
                let id = authenticator_id(&event.authenticator_id, "authenticator_id")?;
                Ok(Self { authenticator_id: id })
            }
        }
    )+};
}
id_only!(DefaultAuthenticatorSet, AuthenticatorReinstated);

impl From<&AuthenticatorSuspended> for wire::AuthenticatorSuspended {
    fn from(event: &AuthenticatorSuspended) -> Self {
        Self { authenticator_id: event.authenticator_id.to_string(), reason: event.reason.clone() }
    }
}

impl TryFrom<wire::AuthenticatorSuspended> for AuthenticatorSuspended {
    type Error = BadPayload;

    fn try_from(event: wire::AuthenticatorSuspended) -> Result<Self, BadPayload> {
        Ok(Self {
            authenticator_id: authenticator_id(&event.authenticator_id, "authenticator_id")?,
            reason: event.reason,
        })
    }
}

impl From<&AuthenticatorRemoved> for wire::AuthenticatorRemoved {
    fn from(event: &AuthenticatorRemoved) -> Self {
        Self {
            authenticator_id: event.authenticator_id.to_string(),
            reason: event.reason.clone(),
            removed_at: Some(timestamp_to_wire(event.removed_at)),
        }
    }
}

impl TryFrom<wire::AuthenticatorRemoved> for AuthenticatorRemoved {
    type Error = BadPayload;

    fn try_from(event: wire::AuthenticatorRemoved) -> Result<Self, BadPayload> {
        Ok(Self {
            authenticator_id: authenticator_id(&event.authenticator_id, "authenticator_id")?,
            reason: event.reason,
            removed_at: required_timestamp(event.removed_at.as_ref(), "removed_at")?,
        })
    }
}

impl From<&RecoveryCodesIssued> for wire::RecoveryCodesIssued {
    fn from(event: &RecoveryCodesIssued) -> Self {
        Self {
            authenticator_id: event.authenticator_id.to_string(),
            generation: event.generation,
            record: Some(sealed_to_wire(&event.record)),
            count: event.count,
            user_id: Some(sealed_to_wire(&event.user_id)),
            issued_at: Some(timestamp_to_wire(event.issued_at)),
        }
    }
}

impl TryFrom<wire::RecoveryCodesIssued> for RecoveryCodesIssued {
    type Error = BadPayload;

    fn try_from(event: wire::RecoveryCodesIssued) -> Result<Self, BadPayload> {
        Ok(Self {
            authenticator_id: authenticator_id(&event.authenticator_id, "authenticator_id")?,
            generation: event.generation,
            record: required_sealed(event.record, "record")?,
            count: event.count,
            user_id: required_sealed(event.user_id, "user_id")?,
            issued_at: required_timestamp(event.issued_at.as_ref(), "issued_at")?,
        })
    }
}

impl From<&TemporaryAccessPassIssued> for wire::TemporaryAccessPassIssued {
    fn from(event: &TemporaryAccessPassIssued) -> Self {
        let Pass { starts_at, ends_at, single_use, challenges_until } = event.pass;
        Self {
            authenticator_id: event.authenticator_id.to_string(),
            generation: event.generation,
            record: Some(sealed_to_wire(&event.record)),
            starts_at: Some(timestamp_to_wire(starts_at)),
            ends_at: Some(timestamp_to_wire(ends_at)),
            single_use,
            challenges_until: Some(timestamp_to_wire(challenges_until)),
            user_id: Some(sealed_to_wire(&event.user_id)),
            issued_at: Some(timestamp_to_wire(event.issued_at)),
        }
    }
}

impl TryFrom<wire::TemporaryAccessPassIssued> for TemporaryAccessPassIssued {
    type Error = BadPayload;

    fn try_from(event: wire::TemporaryAccessPassIssued) -> Result<Self, BadPayload> {
        let challenges_until = event.challenges_until.as_ref();
        Ok(Self {
            authenticator_id: authenticator_id(&event.authenticator_id, "authenticator_id")?,
            generation: event.generation,
            record: required_sealed(event.record, "record")?,
            pass: Pass {
                starts_at: required_timestamp(event.starts_at.as_ref(), "starts_at")?,
                ends_at: required_timestamp(event.ends_at.as_ref(), "ends_at")?,
                single_use: event.single_use,
                challenges_until: required_timestamp(challenges_until, "challenges_until")?,
            },
            user_id: required_sealed(event.user_id, "user_id")?,
            issued_at: required_timestamp(event.issued_at.as_ref(), "issued_at")?,
        })
    }
}

impl From<&UserPlaced> for wire::UserPlaced {
    fn from(event: &UserPlaced) -> Self {
        let organisation_id = event.placement.organisation_id.as_ref();
        Self {
            organisation_id: organisation_id.map(ToString::to_string).unwrap_or_default(),
            privileged: event.placement.privileged,
            user_id: Some(sealed_to_wire(&event.user_id)),
            placed_at: Some(timestamp_to_wire(event.placed_at)),
        }
    }
}

impl TryFrom<wire::UserPlaced> for UserPlaced {
    type Error = BadPayload;

    fn try_from(event: wire::UserPlaced) -> Result<Self, BadPayload> {
        let organisation_id = match event.organisation_id.as_str() {
            "" => None,
            id => {
                Some(OrganisationId::parse(id).map_err(|_| BadPayload::field("organisation_id"))?)
            }
        };
        Ok(Self {
            placement: Placement { organisation_id, privileged: event.privileged },
            user_id: required_sealed(event.user_id, "user_id")?,
            placed_at: required_timestamp(event.placed_at.as_ref(), "placed_at")?,
        })
    }
}

impl From<&SelfServiceTokenIssued> for wire::SelfServiceTokenIssued {
    fn from(event: &SelfServiceTokenIssued) -> Self {
        Self {
            token_id: event.token_id.to_string(),
            issued_at: Some(timestamp_to_wire(event.issued_at)),
            expires_at: Some(timestamp_to_wire(event.expires_at)),
        }
    }
}

impl TryFrom<wire::SelfServiceTokenIssued> for SelfServiceTokenIssued {
    type Error = BadPayload;

    fn try_from(event: wire::SelfServiceTokenIssued) -> Result<Self, BadPayload> {
        Ok(Self {
            token_id: TokenId::parse(&event.token_id).map_err(|_| BadPayload::field("token_id"))?,
            issued_at: required_timestamp(event.issued_at.as_ref(), "issued_at")?,
            expires_at: required_timestamp(event.expires_at.as_ref(), "expires_at")?,
        })
    }
}

impl From<&SecretsResealed> for wire::SecretsResealed {
    fn from(event: &SecretsResealed) -> Self {
        let record = |(id, record): &(AuthenticatorId, Sealed)| wire::ResealedRecord {
            authenticator_id: id.to_string(),
            record: Some(sealed_to_wire(record)),
        };
        Self {
            rotation: event.rotation,
            generation: event.generation,
            records: event.records.iter().map(record).collect(),
            resealed_at: Some(timestamp_to_wire(event.resealed_at)),
        }
    }
}

impl TryFrom<wire::SecretsResealed> for SecretsResealed {
    type Error = BadPayload;

    fn try_from(event: wire::SecretsResealed) -> Result<Self, BadPayload> {
        let record = |resealed: wire::ResealedRecord| {
            let id = authenticator_id(&resealed.authenticator_id, "records")?;
            Ok((id, required_sealed(resealed.record, "records")?))
        };
        // The first key of a user is 1, and there is one before this.
        if event.generation < 2 {
            return Err(BadPayload::field("generation"));
        }
        Ok(Self {
            rotation: event.rotation,
            generation: event.generation,
            records: event.records.into_iter().map(record).collect::<Result<_, _>>()?,
            resealed_at: required_timestamp(event.resealed_at.as_ref(), "resealed_at")?,
        })
    }
}

impl From<&UserErased> for wire::UserErased {
    fn from(event: &UserErased) -> Self {
        Self { erased_at: Some(timestamp_to_wire(event.erased_at)), reason: event.reason.clone() }
    }
}

impl TryFrom<wire::UserErased> for UserErased {
    type Error = BadPayload;

    fn try_from(event: wire::UserErased) -> Result<Self, BadPayload> {
        let erased_at = required_timestamp(event.erased_at.as_ref(), "erased_at")?;
        Ok(Self { erased_at, reason: event.reason })
    }
}
