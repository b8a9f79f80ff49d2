//! What a kind of factor is worth: policy reads these, never kinds.

use countersign_core::{Aal, Amr, FactorClass};

/// The traits of a kind of factor, in the words of NIST SP 800-63B-4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FactorTraits {
    /// What it proves (section 2).
    pub class: FactorClass,
    /// The highest level that it can take part in reaching (sections 2.1 to 2.3).
    pub aal_ceiling: Aal,
    /// The registered method references that an answer is reported with (RFC 8176 section 2).
    pub amr: &'static [Amr],
    /// Whether its answer is of no use to an impostor of the verifier (section 3.2.5).
    pub phishing_resistant: bool,
    /// Whether a recorded answer is of no use later (section 3.2.7).
    pub replay_resistant: bool,
    /// Whether its use is restricted: alternatives must be offered and the risk explained (section 3.2.9).
    pub restricted: bool,
    /// The channel through which whoever holds it holds this factor too; two that share one are not independent.
    pub recovery_channel: Option<RecoveryChannel>,
}

/// A channel that a factor depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecoveryChannel {
    /// The user's telephone number: text messages and calls.
    Telephone,
    /// The user's mailbox.
    Email,
}
