//! The policy while glass is broken: sign-ins need no second factor, and their trace says why.

use countersign_core::Timestamp;

use super::{Decision, Inputs, Judgement, PolicyEngine, TracedRule};

/// Stands before the policy that it puts out of force.
#[derive(Debug)]
pub struct BrokenGlass<'a> {
    /// When it ends by itself.
    pub until: Timestamp,
    /// The policy that will judge again.
    pub policy: &'a dyn PolicyEngine,
}

impl BrokenGlass<'_> {
    /// The rule's name in the trace.
    pub const RULE: &'static str = "break-glass";
}

impl PolicyEngine for BrokenGlass<'_> {
    fn judge(&self, _: &Inputs<'_>) -> Judgement {
        let explanation = format!(
            "an administrator broke glass: no second factor is asked for until {}",
            self.until
        );
        let traced = TracedRule { rule: Self::RULE.to_owned(), matched: true, explanation };
        Judgement { decision: Decision::Sufficient, required: None, trace: vec![traced] }
    }

    fn canonical(&self) -> Vec<u8> {
        let until = self.until.unix_micros().to_be_bytes();
        [Self::RULE.as_bytes(), &until, &self.policy.canonical()].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{MfaRequirement, RequirementPolicy};

    #[test]
    fn a_sign_in_is_sufficient_and_the_trace_and_the_hash_say_why() {
        let policy = RequirementPolicy { tenant: MfaRequirement::Always, applications: [].into() };
        let broken = BrokenGlass { until: Timestamp::from_unix_seconds(60), policy: &policy };
        let judgement = broken.judge(&Inputs { application: Some("vpn"), usable: &[] });
        assert_eq!((judgement.decision, judgement.required), (Decision::Sufficient, None));
        let rules: Vec<_> = judgement.trace.iter().map(|traced| traced.rule.as_str()).collect();
        assert_eq!(rules, ["break-glass"]);
        assert!(judgement.trace[0].explanation.contains("1970-01-01T00:01:00"));
        assert_ne!(broken.canonical(), policy.canonical());
    }
}
