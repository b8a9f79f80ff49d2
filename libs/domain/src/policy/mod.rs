//! Judging sign-ins. A [`PolicyEngine`] is pure: it sees what was looked up for it and says what to do, and why.

mod broken_glass;
mod requirement;

use std::fmt::Debug;

use countersign_core::{Aal, AuthenticatorId};

pub use broken_glass::BrokenGlass;
pub use requirement::{MfaRequirement, RequirementPolicy};

/// What a policy engine may look at.
#[derive(Clone, Debug)]
pub struct Inputs<'a> {
    /// The application that the user signs in to; `None` if the platform named none.
    pub application: Option<&'a str>,
    /// The user's authenticators that could answer, the preferred one first.
    pub usable: &'a [Usable],
}

/// An authenticator that could answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usable {
    /// Its id.
    pub authenticator_id: AuthenticatorId,
    /// Its kind.
    pub kind: Box<str>,
}

/// What to do with a sign-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Nothing more is needed.
    Sufficient,
    /// Ask for proof.
    Challenge,
    /// The user has nothing to answer with: enrol first.
    Enroll,
    /// Refuse.
    Denied,
}

/// One rule that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TracedRule {
    /// Its name.
    pub rule: String,
    /// Whether it applied.
    pub matched: bool,
    /// Why, for people.
    pub explanation: String,
}

/// A decision and how it came about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// What to do.
    pub decision: Decision,
    /// The assurance asked for; `None` when sufficient.
    pub required: Option<Aal>,
    /// The rules that were looked at, in order.
    pub trace: Vec<TracedRule>,
}

/// Judges sign-ins.
pub trait PolicyEngine: Debug + Send + Sync {
    /// Says what to do.
    fn judge(&self, inputs: &Inputs<'_>) -> Judgement;

    /// Returns the canonical bytes of the policy, whose hash names it in the audit.
    fn canonical(&self) -> Vec<u8>;
}
