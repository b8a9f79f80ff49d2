//! The port that every kind implements.

use std::fmt::Debug;

use countersign_core::{Rng, SecretBytes, Timestamp};

use crate::{
    BeginEnrollment, BegunEnrollment, EnrollmentError, FactorTraits, Provisioning, RecordError,
    Verdict,
};

/// How factors behave in one tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FactorSettings {
    /// TOTP: steps to either side of now that are accepted, at most 10.
    pub totp_skew_steps: u32,
    /// Recovery codes: how many a new set has, 4 to 20.
    pub recovery_code_count: u32,
}

/// One step for the delay of the network and the user (RFC 6238 section 5.2), and ten codes.
impl Default for FactorSettings {
    fn default() -> Self {
        Self { totp_skew_steps: 1, recovery_code_count: 10 }
    }
}

/// A kind of authenticator.
///
/// All of it is deterministic but for what it draws from an [`Rng`], and none of it panics, whatever the code or the
/// record says.
pub trait Factor: Debug + Send + Sync + 'static {
    /// Returns the name of the kind, as the API and the log know it.
    fn kind(&self) -> &'static str;

    /// Returns what the kind is worth.
    fn traits(&self) -> FactorTraits;

    /// Makes a new authenticator's secret.
    ///
    /// # Errors
    /// Names the parameter that cannot be used, or says what kept the record from being made.
    fn begin_enrollment(
        &self,
        begin: &BeginEnrollment,
        rng: &dyn Rng,
    ) -> Result<BegunEnrollment, EnrollmentError>;

    /// Shows again what the user needs to set the authenticator up.
    ///
    /// # Errors
    /// Says that the record cannot be read.
    fn provisioning(&self, record: &SecretBytes) -> Result<Provisioning, RecordError>;

    /// Judges the proof that the user holds the new authenticator.
    ///
    /// # Errors
    /// Says that the record cannot be read.
    fn confirm_enrollment(
        &self,
        record: &SecretBytes,
        settings: &FactorSettings,
        code: &str,
        now: Timestamp,
    ) -> Result<Verdict, RecordError> {
        self.verify(record, settings, code, now)
    }

    /// Judges an answer.
    ///
    /// # Errors
    /// Says that the record cannot be read.
    fn verify(
        &self,
        record: &SecretBytes,
        settings: &FactorSettings,
        code: &str,
        now: Timestamp,
    ) -> Result<Verdict, RecordError>;

    /// Returns whether judging an answer takes long: then it is not for a thread that serves others.
    fn is_slow(&self) -> bool {
        false
    }

    /// Returns whether a code has the form of this kind's codes; nothing is said about its being right.
    fn recognises(&self, code: &str) -> bool;
}
