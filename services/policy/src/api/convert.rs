//! Translation between the wire's words and the domain's.

use countersign_domain::{policy::Decision, user_sign_ins::SignInEvaluated};
use countersign_proto::policy as wire;

/// Shows an evaluation.
pub(super) fn evaluation(evaluated: SignInEvaluated) -> wire::EvaluateSignInResponse {
    let decision = match evaluated.decision {
        Decision::Sufficient => wire::SignInDecision::Sufficient,
        Decision::Challenge => wire::SignInDecision::Challenge,
        Decision::Enroll => wire::SignInDecision::Enroll,
        Decision::Denied => wire::SignInDecision::Denied,
    };
    let usable = evaluated.usable.into_iter().map(|usable| wire::UsableAuthenticator {
        authenticator_id: usable.authenticator_id.to_string(),
        kind: usable.kind.into(),
    });
    let trace = evaluated.trace.into_iter().map(|traced| wire::RuleTrace {
        rule: traced.rule,
        matched: traced.matched,
        explanation: traced.explanation,
    });
    wire::EvaluateSignInResponse {
        sign_in_id: evaluated.sign_in_id.to_string(),
        decision: decision.into(),
        required_acr: evaluated.required_acr.into(),
        usable_authenticators: usable.collect(),
        trace: trace.collect(),
    }
}
