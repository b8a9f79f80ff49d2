//! Translation of events between domain words and the stored schema.

use countersign_proto::event as wire;

use super::{Event, SignInEvaluated, UserSignIns};
use crate::{
    policy::{Decision, TracedRule, Usable},
    wire::{
        BadPayload, authenticator_id, event_codec, required_sealed, required_timestamp,
        sealed_to_wire, sign_in_id, timestamp_to_wire,
    },
};

event_codec!(UserSignIns, state version 1, { SignInEvaluated v 1 });

impl From<&SignInEvaluated> for wire::SignInEvaluated {
    fn from(event: &SignInEvaluated) -> Self {
        let decision = match event.decision {
            Decision::Sufficient => wire::SignInDecision::Sufficient,
            Decision::Challenge => wire::SignInDecision::Challenge,
            Decision::Enroll => wire::SignInDecision::Enroll,
            Decision::Denied => wire::SignInDecision::Denied,
        };
        let trace = event.trace.iter().map(|traced| wire::RuleTrace {
            rule: traced.rule.clone(),
            matched: traced.matched,
            explanation: traced.explanation.clone(),
        });
        let usable = event.usable.iter().map(|usable| wire::UsableAuthenticator {
            authenticator_id: usable.authenticator_id.to_string(),
            kind: usable.kind.to_string(),
        });
        Self {
            sign_in_id: event.sign_in_id.to_string(),
            application_id: event.application_id.to_string(),
            context: Some(sealed_to_wire(&event.context)),
            decision: decision.into(),
            required_acr: event.required_acr.to_string(),
            trace: trace.collect(),
            usable: usable.collect(),
            policy_hash: event.policy_hash.to_vec().into(),
            evaluated_at: Some(timestamp_to_wire(event.evaluated_at)),
        }
    }
}

impl TryFrom<wire::SignInEvaluated> for SignInEvaluated {
    type Error = BadPayload;

    fn try_from(event: wire::SignInEvaluated) -> Result<Self, BadPayload> {
        let decision = match event.decision() {
            wire::SignInDecision::Sufficient => Decision::Sufficient,
            wire::SignInDecision::Challenge => Decision::Challenge,
            wire::SignInDecision::Enroll => Decision::Enroll,
            wire::SignInDecision::Denied => Decision::Denied,
            wire::SignInDecision::Unspecified => return Err(BadPayload::field("decision")),
        };
        let trace = event.trace.into_iter().map(|traced| TracedRule {
            rule: traced.rule,
            matched: traced.matched,
            explanation: traced.explanation,
        });
        let usable = event.usable.into_iter().map(|usable| {
            let id = authenticator_id(&usable.authenticator_id, "usable.authenticator_id")?;
            Ok(Usable { authenticator_id: id, kind: usable.kind.into() })
        });
        Ok(Self {
            sign_in_id: sign_in_id(&event.sign_in_id, "sign_in_id")?,
            application_id: event.application_id.into(),
            context: required_sealed(event.context, "context")?,
            decision,
            required_acr: event.required_acr.into(),
            trace: trace.collect(),
            usable: usable.collect::<Result<_, BadPayload>>()?,
            policy_hash: <[u8; 32]>::try_from(&*event.policy_hash)
                .map_err(|_| BadPayload::field("policy_hash"))?,
            evaluated_at: required_timestamp(event.evaluated_at.as_ref(), "evaluated_at")?,
        })
    }
}
