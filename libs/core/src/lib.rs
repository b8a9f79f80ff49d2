//! Words that everything else is said with: ids, time, randomness, assurance, redacted types, and errors with what lies underneath.
//!
//! Floor 0: depends on none of our crates and can do no I/O. The outside world comes in through the ports
//! [`Clock`] and [`Rng`].

mod assurance;
mod chain;
mod ids;
mod random;
mod redacted;
mod time;

pub use assurance::{Aal, Amr, FactorClass};
pub use chain::Chain;
pub use ids::{
    ApplicationId, ApprovalId, AuthenticatorId, ChallengeId, DeliveryId, FieldError, FieldProblem,
    KeyId, OrganisationId, RequestId, SignInId, TenantId, TokenId, UserId, UserKey,
};
pub use random::{Rng, new_uuid_v7};
pub use redacted::{SecretBytes, SecretString};
pub use time::{Clock, Span, Timestamp};
