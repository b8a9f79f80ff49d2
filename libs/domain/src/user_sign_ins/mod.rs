//! How a user's sign-ins were judged: a record for the audit. Nothing rejects an evaluation; it happened.

mod convert;

use countersign_core::{SignInId, Timestamp};
use countersign_crypto::Sealed;
use countersign_eventsourcing::Decider;
use serde::{Deserialize, Serialize};

use crate::policy::{Decision, TracedRule, Usable};

/// The decider of stream `signins-{tenant}.{user_key}`.
#[derive(Clone, Copy, Debug)]
pub struct UserSignIns;

/// What the fold knows: how many sign-ins were judged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// How many were judged.
    pub evaluated: u64,
    /// When the last one was.
    pub last_evaluated_at: Option<Timestamp>,
}

/// What may be asked: to record an evaluation.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordEvaluation(pub SignInEvaluated);

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// See [`SignInEvaluated`].
    SignInEvaluated(SignInEvaluated),
}

/// A sign-in was judged.
#[derive(Clone, Debug, PartialEq)]
pub struct SignInEvaluated {
    /// The evaluation.
    pub sign_in_id: SignInId,
    /// The application; may be empty.
    pub application_id: Box<str>,
    /// The context that the platform gave.
    pub context: Sealed,
    /// What was decided.
    pub decision: Decision,
    /// Authentication context class asked for; empty when sufficient.
    pub required_acr: Box<str>,
    /// How it came about.
    pub trace: Vec<TracedRule>,
    /// What the user could have answered with.
    pub usable: Vec<Usable>,
    /// SHA-256 of the policy that judged.
    pub policy_hash: [u8; 32],
    /// When.
    pub evaluated_at: Timestamp,
}

/// An evaluation is never rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {}

impl Decider for UserSignIns {
    const CATEGORY: &'static str = "signins";
    type State = State;
    type Command = RecordEvaluation;
    type Event = Event;
    type Rejection = Rejection;

    fn decide(
        _: &State,
        RecordEvaluation(event): RecordEvaluation,
    ) -> Result<Vec<Event>, Rejection> {
        Ok(vec![Event::SignInEvaluated(event)])
    }

    fn evolve(mut state: State, event: &Event) -> State {
        match event {
            Event::SignInEvaluated(event) => {
                state.evaluated += 1;
                state.last_evaluated_at = Some(event.evaluated_at);
            }
        }
        state
    }
}

#[cfg(test)]
mod tests {
    use countersign_core::AuthenticatorId;
    use countersign_eventsourcing::{EventCodec as _, Scenario};
    use uuid::Uuid;

    use super::*;

    fn evaluated() -> SignInEvaluated {
        SignInEvaluated {
            sign_in_id: SignInId::new(Uuid::from_u128(1)),
            application_id: "vpn".into(),
            context: Sealed { key_id: "acme.00".into(), ciphertext: vec![1] },
            decision: Decision::Challenge,
            required_acr: "urn:countersign:acr:aal2".into(),
            trace: vec![TracedRule {
                rule: "tenant-always".to_owned(),
                matched: true,
                explanation: "the tenant asks for a second factor".to_owned(),
            }],
            usable: vec![Usable {
                authenticator_id: AuthenticatorId::new(Uuid::from_u128(2)),
                kind: "totp".into(),
            }],
            policy_hash: [3; 32],
            evaluated_at: Timestamp::from_unix_seconds(5),
        }
    }

    #[test]
    fn an_evaluation_is_recorded_as_it_was() {
        Scenario::<UserSignIns>::given([])
            .when(RecordEvaluation(evaluated()))
            .then([Event::SignInEvaluated(evaluated())]);
    }

    #[test]
    fn an_evaluation_survives_the_stored_form() {
        let event = Event::SignInEvaluated(evaluated());
        let stored = UserSignIns::encode(&event);
        let read = UserSignIns::decode(stored.event_type, stored.schema_version, &stored.payload);
        assert_eq!(read, Ok(event));
    }
}
