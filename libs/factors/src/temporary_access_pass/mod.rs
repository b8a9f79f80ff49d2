//! Temporary access passes: a passcode that a help desk gives to a user who has lost their authenticators, so that they can
//! sign in and enrol new ones. It opens for a while, once or several times.
//!
//! When it opens and how often stands in the record, which is sealed: whoever can write to the log cannot prolong it.

mod parameters;
#[cfg(test)]
mod properties;
mod record;

use countersign_core::{Aal, Amr, FactorClass, Rng, SecretBytes, Timestamp};

use self::{parameters::Parameters, record::Record};
use crate::{
    BeginEnrollment, BegunEnrollment, Consumes, EnrollmentError, Factor, FactorSettings,
    FactorTraits, Provisioning, RecordError, Verdict,
    look_up::{Cost, Form, SALT_LEN},
};

const KIND: &str = "temporary_access_pass";

/// 12 symbols of 5 bits, in groups that can be told over the telephone. NIST SP 800-63B-4 section 4.2.1.2 asks an issued
/// recovery code for 6 digits, some 20 bits; with 60 even the hash alone is of no use to whoever finds it in the hours that
/// a pass lasts. One symbol less than a recovery code, so that neither is taken for the other.
const FORM: Form = Form::in_groups(&[4, 4, 4]);

/// A passcode for a while.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TemporaryAccessPass {
    /// What hashing the code of a *new* pass costs; a pass remembers its own.
    cost: Cost,
}

impl TemporaryAccessPass {
    pub(crate) const STANDARD: Self = Self { cost: Cost::STANDARD };
}

impl Factor for TemporaryAccessPass {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn traits(&self) -> FactorTraits {
        FactorTraits {
            // It is told, so that the help desk knows it too, and whoever listened. With a password it is not a second
            // class of factors (NIST SP 800-63B-4 section 2.2.1).
            class: FactorClass::Knowledge,
            // It stands for the trust of the help desk, not for an authenticator that was bound (section 4.2): enough to
            // bind a new one, and for nothing that asks for two factors.
            aal_ceiling: Aal::Aal1,
            // `otp` is the registered value that is nearest: a passcode that was made for this occasion (RFC 8176
            // section 2).
            amr: &[Amr::Otp],
            // Typed by hand (section 3.2.5).
            phishing_resistant: false,
            // A pass for several uses is right again (section 3.2.7).
            replay_resistant: false,
            restricted: false,
            // Told by the help desk, by whatever way it reaches the user.
            recovery_channel: None,
        }
    }

    fn begin_enrollment(
        &self,
        begin: &BeginEnrollment,
        rng: &dyn Rng,
    ) -> Result<BegunEnrollment, EnrollmentError> {
        let parameters = Parameters::parse(&begin.parameters)?;
        let code = FORM.generate(rng);
        let mut salt = [0; SALT_LEN];
        rng.fill(&mut salt);
        Ok(BegunEnrollment {
            record: Record::of(&code, self.cost, &salt, parameters)?,
            parameters: parameters.told(),
            provisioning: Provisioning::Codes(vec![FORM.show(&code)]),
        })
    }

    /// Only a hash of the code is kept, so there is nothing to show again.
    fn provisioning(&self, record: &SecretBytes) -> Result<Provisioning, RecordError> {
        Record::decode(record).map(|_| Provisioning::Nothing)
    }

    /// A pass is in force as soon as it is issued. Nothing is pending that a code could prove.
    fn confirm_enrollment(
        &self,
        record: &SecretBytes,
        _settings: &FactorSettings,
        _code: &str,
        _now: Timestamp,
    ) -> Result<Verdict, RecordError> {
        Record::decode(record).map(|_| Verdict::Wrong)
    }

    fn verify(
        &self,
        record: &SecretBytes,
        _settings: &FactorSettings,
        code: &str,
        now: Timestamp,
    ) -> Result<Verdict, RecordError> {
        let record = Record::decode(record)?;
        let Some(code) = FORM.parse(code) else { return Ok(Verdict::Wrong) };
        // Hashed in any case: the time taken does not tell a pass whose time is over from a wrong code.
        let is_its_code = record.is(&code)?;
        Ok(match (is_its_code && record.parameters.opens_at(now), record.parameters.single_use) {
            (false, _) => Verdict::Wrong,
            (true, true) => Verdict::Right(Consumes::Code { index: 0 }),
            (true, false) => Verdict::Right(Consumes::Nothing),
        })
    }

    /// One memory-hard hash.
    fn is_slow(&self) -> bool {
        true
    }

    fn recognises(&self, code: &str) -> bool {
        FORM.parse(code).is_some()
    }
}
