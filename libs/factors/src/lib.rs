//! The factors: what each kind of authenticator is, and how its answers are judged.
//!
//! Floor 1, and pure: a [`Factor`] reads no clock, does no I/O and draws randomness through the
//! [`Rng`](countersign_core::Rng) port only. What a factor has to remember goes into an opaque *record*, which the
//! caller seals and stores; what a right answer uses up is returned as [`Consumes`], and whether it was used up
//! before is for the caller's event log to say.
//!
//! There is one folder per kind. To add one, write its folder and add it to the register at the end of this file;
//! nothing else knows the kinds by name.
//!
//! ```
//! use countersign_core::Timestamp;
//! use countersign_factors::{BeginEnrollment, FactorSettings, Verdict, factor};
//!
//! # struct Zeros;
//! # impl countersign_core::Rng for Zeros {
//! #     fn fill(&self, bytes: &mut [u8]) {
//! #         bytes.fill(0);
//! #     }
//! # }
//! # let rng = Zeros;
//! let totp = factor("totp").ok_or("unknown kind")?;
//! let begin = BeginEnrollment {
//!     account_name: "jo@example.com".into(),
//!     issuer: "Example".into(),
//!     parameters: [("digits".into(), "8".into())].into(),
//! };
//! let begun = totp.begin_enrollment(&begin, &rng)?;
//! let now = Timestamp::from_unix_seconds(1_700_000_000);
//! let verdict = totp.verify(&begun.record, &FactorSettings::default(), "not a code", now)?;
//! assert_eq!(verdict, Verdict::Wrong);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod enrollment;
mod factor;
#[cfg(test)]
mod fixtures;
mod look_up;
pub mod qr;
mod record;
mod recovery_code;
mod temporary_access_pass;
mod totp;
mod traits;
mod verdict;

pub use enrollment::{BeginEnrollment, BegunEnrollment, EnrollmentError, Provisioning};
pub use factor::{Factor, FactorSettings};
pub use record::RecordError;
pub use traits::{FactorTraits, RecoveryChannel};
pub use verdict::{Consumes, Verdict};

/// The register: one line per kind, in the order in which they are shown.
static FACTORS: &[&dyn Factor] = &[
    &totp::Totp,
    &recovery_code::RecoveryCode::STANDARD,
    &temporary_access_pass::TemporaryAccessPass::STANDARD,
];

/// Returns the factor of `kind`, if there is one.
#[must_use]
pub fn factor(kind: &str) -> Option<&'static dyn Factor> {
    FACTORS.iter().copied().find(|factor| factor.kind() == kind)
}

/// Returns the kinds that there are.
pub fn kinds() -> impl Iterator<Item = &'static str> {
    FACTORS.iter().map(|factor| factor.kind())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_kind_is_found_by_its_own_name_and_only_once() {
        let all: Vec<_> = kinds().collect();
        assert_eq!(all, ["totp", "recovery_code", "temporary_access_pass"]);
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
        for kind in all {
            assert_eq!(factor(kind).map(Factor::kind), Some(kind));
        }
        assert!(factor("TOTP").is_none());
        assert!(factor("").is_none());
    }

    #[test]
    fn no_code_is_recognised_by_two_kinds() {
        for code in ["123456", "1234 5678", "0123-45678-9012", "ABCD-EFGHJ-KMNP", "0123-4567-8901"]
        {
            assert_eq!(
                kinds().filter_map(factor).filter(|f| f.recognises(code)).count(),
                1,
                "{code}"
            );
        }
    }
}
