//! Translation of events between domain words and the stored schema.

use countersign_core::Timestamp;
use countersign_proto::event as wire;

use super::{
    Allowed, AttemptFailed, AttemptFailure, AuthenticatorThrottled, ChallengeCanceled,
    ChallengeExhausted, ChallengeExpired, ChallengeIssued, ChallengeSuperseded, ChallengeVerified,
    ClosedTo, Consumed, Event, Source, SourceKey, ThrottleReleased, UserChallenges,
};
use crate::{
    throttle::Closure,
    wire::{
        BadPayload, authenticator_id, challenge_id, event_codec, required_timestamp,
        timestamp_from_wire, timestamp_to_wire,
    },
};

event_codec!(UserChallenges, state version 5, {
    ChallengeIssued v 1,
    ChallengeVerified v 1,
    AttemptFailed v 2 was { 1 as AttemptFailedV1 },
    ChallengeExhausted v 1,
    ChallengeExpired v 1,
    ChallengeCanceled v 1,
    ChallengeSuperseded v 1,
    AuthenticatorThrottled v 1,
    ThrottleReleased v 1,
});

fn source_to_wire(source: Source) -> Option<u64> {
    source.map(|SourceKey(key)| key)
}

impl From<&ChallengeIssued> for wire::ChallengeIssued {
    fn from(event: &ChallengeIssued) -> Self {
        let allowed = event.allowed.iter().map(|allowed| wire::AllowedAuthenticator {
            authenticator_id: allowed.authenticator_id.to_string(),
            kind: allowed.kind.to_string(),
        });
        Self {
            challenge_id: event.challenge_id.to_string(),
            application_id: event.application_id.to_string(),
            allowed: allowed.collect(),
            sign_in_id: event.sign_in_id.to_string(),
            max_attempts: event.max_attempts,
            issued_at: Some(timestamp_to_wire(event.issued_at)),
            expires_at: Some(timestamp_to_wire(event.expires_at)),
            source: source_to_wire(event.source),
        }
    }
}

impl TryFrom<wire::ChallengeIssued> for ChallengeIssued {
    type Error = BadPayload;

    fn try_from(event: wire::ChallengeIssued) -> Result<Self, BadPayload> {
        let allowed = event.allowed.into_iter().map(|allowed| {
            let id = authenticator_id(&allowed.authenticator_id, "allowed.authenticator_id")?;
            Ok(Allowed { authenticator_id: id, kind: allowed.kind.into() })
        });
        Ok(Self {
            challenge_id: challenge_id(&event.challenge_id, "challenge_id")?,
            application_id: event.application_id.into(),
            allowed: allowed.collect::<Result<_, BadPayload>>()?,
            sign_in_id: event.sign_in_id.into(),
            max_attempts: event.max_attempts,
            issued_at: required_timestamp(event.issued_at.as_ref(), "issued_at")?,
            expires_at: required_timestamp(event.expires_at.as_ref(), "expires_at")?,
            source: event.source.map(SourceKey),
        })
    }
}

impl From<&ChallengeVerified> for wire::ChallengeVerified {
    fn from(event: &ChallengeVerified) -> Self {
        let consumed = match event.consumed {
            Consumed::MovingFactor(factor) => {
                Some(wire::challenge_verified::Consumed::MovingFactor(factor))
            }
            Consumed::Code { generation, index } => {
                let code = wire::ConsumedCode { generation, index };
                Some(wire::challenge_verified::Consumed::Code(code))
            }
            Consumed::Nothing => None,
        };
        Self {
            challenge_id: event.challenge_id.to_string(),
            authenticator_id: event.authenticator_id.to_string(),
            kind: event.kind.to_string(),
            consumed,
            acr: event.acr.to_string(),
            amr: event.amr.clone(),
            verified_at: Some(timestamp_to_wire(event.verified_at)),
            codes_remaining: event.codes_remaining,
            codes_low: event.codes_low,
            source: source_to_wire(event.source),
        }
    }
}

impl TryFrom<wire::ChallengeVerified> for ChallengeVerified {
    type Error = BadPayload;

    fn try_from(event: wire::ChallengeVerified) -> Result<Self, BadPayload> {
        let consumed = match event.consumed {
            Some(wire::challenge_verified::Consumed::MovingFactor(factor)) => {
                Consumed::MovingFactor(factor)
            }
            Some(wire::challenge_verified::Consumed::Code(code)) => {
                Consumed::Code { generation: code.generation, index: code.index }
            }
            None => Consumed::Nothing,
        };
        Ok(Self {
            challenge_id: challenge_id(&event.challenge_id, "challenge_id")?,
            authenticator_id: authenticator_id(&event.authenticator_id, "authenticator_id")?,
            kind: event.kind.into(),
            consumed,
            acr: event.acr.into(),
            amr: event.amr,
            verified_at: required_timestamp(event.verified_at.as_ref(), "verified_at")?,
            codes_remaining: event.codes_remaining,
            codes_low: event.codes_low,
            source: event.source.map(SourceKey),
        })
    }
}

impl From<&AttemptFailed> for wire::AttemptFailed {
    fn from(event: &AttemptFailed) -> Self {
        let reason = match event.reason {
            AttemptFailure::Unknown => wire::AttemptFailure::Unspecified,
            AttemptFailure::WrongCode => wire::AttemptFailure::WrongCode,
            AttemptFailure::Replayed => wire::AttemptFailure::Replayed,
        };
        Self {
            challenge_id: event.challenge_id.to_string(),
            authenticator_id: event.authenticator_id.to_string(),
            attempts_left: event.attempts_left,
            consecutive_failures: event.consecutive_failures,
            reason: reason.into(),
            failed_at: Some(timestamp_to_wire(event.failed_at)),
            source: source_to_wire(event.source),
            source_failures: event.source_failures,
            unproven_failures: event.unproven_failures,
        }
    }
}

impl TryFrom<wire::AttemptFailed> for AttemptFailed {
    type Error = BadPayload;

    fn try_from(event: wire::AttemptFailed) -> Result<Self, BadPayload> {
        let reason = match event.reason() {
            wire::AttemptFailure::Unspecified => AttemptFailure::Unknown,
            wire::AttemptFailure::WrongCode => AttemptFailure::WrongCode,
            wire::AttemptFailure::Replayed => AttemptFailure::Replayed,
        };
        let failed_at = event.failed_at.as_ref().map_or(Timestamp::EPOCH, timestamp_from_wire);
        Ok(Self {
            challenge_id: challenge_id(&event.challenge_id, "challenge_id")?,
            authenticator_id: authenticator_id(&event.authenticator_id, "authenticator_id")?,
            attempts_left: event.attempts_left,
            consecutive_failures: event.consecutive_failures,
            reason,
            failed_at,
            source: event.source.map(SourceKey),
            source_failures: event.source_failures,
            unproven_failures: event.unproven_failures,
        })
    }
}

/// Events that hold nothing but a challenge's id.
macro_rules! id_only {
    ($($event:ident),+) => {$(
        impl From<&$event> for wire::$event {
            fn from(event: &$event) -> Self {
                Self { challenge_id: event.challenge_id.to_string() }
            }
        }

        impl TryFrom<wire::$event> for $event {
            type Error = BadPayload;

            fn try_from(event: wire::$event) -> Result<Self, BadPayload> {
                Ok(Self { challenge_id: challenge_id(&event.challenge_id, "challenge_id")? })
            }
        }
    )+};
}
id_only!(ChallengeExhausted, ChallengeExpired, ChallengeCanceled, ChallengeSuperseded);

impl From<&AuthenticatorThrottled> for wire::AuthenticatorThrottled {
    fn from(event: &AuthenticatorThrottled) -> Self {
        let (source, unproven) = match event.closed_to {
            ClosedTo::Everyone => (None, None),
            ClosedTo::Source { source, unproven } => (
                Some(wire::ThrottledSource { source: source_to_wire(source) }),
                unproven.map(|closure| wire::ThrottledUnproven {
                    until: closure.until.map(timestamp_to_wire),
                }),
            ),
        };
        Self {
            authenticator_id: event.authenticator_id.to_string(),
            consecutive_failures: event.consecutive_failures,
            until: event.until.map(timestamp_to_wire),
            source,
            unproven,
        }
    }
}

impl TryFrom<wire::AuthenticatorThrottled> for AuthenticatorThrottled {
    type Error = BadPayload;

    fn try_from(event: wire::AuthenticatorThrottled) -> Result<Self, BadPayload> {
        let unproven = event
            .unproven
            .map(|unproven| Closure { until: unproven.until.as_ref().map(timestamp_from_wire) });
        Ok(Self {
            authenticator_id: authenticator_id(&event.authenticator_id, "authenticator_id")?,
            consecutive_failures: event.consecutive_failures,
            until: event.until.as_ref().map(timestamp_from_wire),
            // As all were before sources were told apart.
            closed_to: event.source.map_or(ClosedTo::Everyone, |closed| ClosedTo::Source {
                source: closed.source.map(SourceKey),
                unproven,
            }),
        })
    }
}

impl From<&ThrottleReleased> for wire::ThrottleReleased {
    fn from(event: &ThrottleReleased) -> Self {
        Self { authenticator_id: event.authenticator_id.to_string() }
    }
}

impl TryFrom<wire::ThrottleReleased> for ThrottleReleased {
    type Error = BadPayload;

    fn try_from(event: wire::ThrottleReleased) -> Result<Self, BadPayload> {
        let id = authenticator_id(&event.authenticator_id, "authenticator_id")?;
        Ok(Self { authenticator_id: id })
    }
}
