//! The first policy engine: never, always, or as each application says.

use std::collections::BTreeMap;

use countersign_core::Aal;
use serde::{Deserialize, Serialize};

use super::{Decision, Inputs, Judgement, PolicyEngine, TracedRule};

/// When a sign-in needs a second factor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum MfaRequirement {
    /// The first factor is enough.
    Never,
    /// Every sign-in is challenged.
    #[default]
    Always,
    /// Each application says; one that says nothing is challenged.
    PerApplication,
}

/// Judges by the requirements of a tenant and its applications.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RequirementPolicy {
    /// The tenant's.
    pub tenant: MfaRequirement,
    /// Those of its applications that have their own.
    pub applications: BTreeMap<Box<str>, MfaRequirement>,
}

impl RequirementPolicy {
    fn challenges(&self, inputs: &Inputs<'_>, trace: &mut Vec<TracedRule>) -> bool {
        let mut look_at = |rule: &str, matched: bool, explanation: String| {
            trace.push(TracedRule { rule: rule.to_owned(), matched, explanation });
            matched
        };
        match self.tenant {
            MfaRequirement::Never => {
                look_at("tenant-never", true, "the tenant asks for no second factor".to_owned());
                false
            }
            MfaRequirement::Always => {
                look_at("tenant-always", true, "the tenant asks for a second factor".to_owned())
            }
            MfaRequirement::PerApplication => {
                let own = inputs.application.and_then(|name| self.applications.get(name));
                match (inputs.application, own) {
                    (Some(name), Some(MfaRequirement::Never)) => {
                        let why = format!("application {name} asks for no second factor");
                        look_at("application-never", true, why);
                        false
                    }
                    (Some(name), Some(MfaRequirement::Always | MfaRequirement::PerApplication)) => {
                        let why = format!("application {name} asks for a second factor");
                        look_at("application-always", true, why)
                    }
                    (Some(name), None) => {
                        let why = format!("application {name} says nothing, so it is challenged");
                        look_at("application-unsaid", true, why)
                    }
                    (None, _) => {
                        let why = "no application was named, so it is challenged".to_owned();
                        look_at("application-unknown", true, why)
                    }
                }
            }
        }
    }
}

impl PolicyEngine for RequirementPolicy {
    fn judge(&self, inputs: &Inputs<'_>) -> Judgement {
        let mut trace = Vec::new();
        if !self.challenges(inputs, &mut trace) {
            return Judgement { decision: Decision::Sufficient, required: None, trace };
        }
        let can_answer = !inputs.usable.is_empty();
        let explanation = if can_answer {
            "the user has an authenticator that can answer"
        } else {
            "the user has no authenticator that could answer"
        };
        trace.push(TracedRule {
            rule: "usable-authenticator".to_owned(),
            matched: can_answer,
            explanation: explanation.to_owned(),
        });
        let decision = if can_answer { Decision::Challenge } else { Decision::Enroll };
        Judgement { decision, required: Some(Aal::Aal2), trace }
    }

    fn canonical(&self) -> Vec<u8> {
        // Two plain maps: serialising them cannot fail.
        postcard::to_allocvec(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use countersign_core::AuthenticatorId;

    use super::*;
    use crate::policy::Usable;

    fn policy(tenant: MfaRequirement) -> RequirementPolicy {
        let applications = BTreeMap::from([
            ("wiki".into(), MfaRequirement::Never),
            ("payroll".into(), MfaRequirement::Always),
        ]);
        RequirementPolicy { tenant, applications }
    }

    fn decide(tenant: MfaRequirement, application: Option<&str>, usable: &[Usable]) -> Decision {
        policy(tenant).judge(&Inputs { application, usable }).decision
    }

    fn totp() -> Vec<Usable> {
        let authenticator_id = AuthenticatorId::new(uuid::Uuid::nil());
        vec![Usable { authenticator_id, kind: "totp".into() }]
    }

    #[test]
    fn never_means_never_and_always_means_always() {
        let usable = totp();
        assert_eq!(decide(MfaRequirement::Never, Some("payroll"), &usable), Decision::Sufficient);
        assert_eq!(decide(MfaRequirement::Always, Some("wiki"), &usable), Decision::Challenge);
    }

    #[test]
    fn each_application_says_and_silence_is_challenged() {
        let usable = totp();
        let per_application = |name| decide(MfaRequirement::PerApplication, name, &usable);
        assert_eq!(per_application(Some("wiki")), Decision::Sufficient);
        assert_eq!(per_application(Some("payroll")), Decision::Challenge);
        assert_eq!(per_application(Some("other")), Decision::Challenge);
        assert_eq!(per_application(None), Decision::Challenge);
    }

    #[test]
    fn a_user_who_cannot_answer_is_sent_to_enrol() {
        assert_eq!(decide(MfaRequirement::Always, None, &[]), Decision::Enroll);
        assert_eq!(decide(MfaRequirement::Never, None, &[]), Decision::Sufficient);
    }

    #[test]
    fn the_trace_says_which_rule_decided() {
        let usable = totp();
        let inputs = Inputs { application: Some("wiki"), usable: &usable };
        let judgement = policy(MfaRequirement::PerApplication).judge(&inputs);
        let rules: Vec<_> = judgement.trace.iter().map(|traced| traced.rule.as_str()).collect();
        assert_eq!(rules, ["application-never"]);
    }

    #[test]
    fn different_policies_have_different_bytes() {
        let [a, b] = [MfaRequirement::Never, MfaRequirement::Always].map(|r| policy(r).canonical());
        assert_ne!(a, b);
        assert!(!a.is_empty());
    }
}
