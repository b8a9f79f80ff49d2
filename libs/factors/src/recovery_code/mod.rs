//! Saved recovery codes (NIST SP 800-63B-4 section 4.2.1.1): a set of single-use codes for the day when the
//! authenticator is lost.

#[cfg(test)]
mod properties;
mod record;

use std::collections::BTreeMap;

use countersign_core::{
    Aal, Amr, FactorClass, FieldError, FieldProblem, Rng, SecretBytes, Timestamp,
};

use self::record::Record;
use crate::{
    BeginEnrollment, BegunEnrollment, Consumes, EnrollmentError, Factor, FactorSettings,
    FactorTraits, Provisioning, RecordError, Verdict,
    look_up::{Cost, Form, SALT_LEN},
};

const KIND: &str = "recovery_code";

/// 13 symbols of 5 bits: the first length that holds the 64 bits that NIST SP 800-63B-4 section 4.2.1.1 asks for.
const FORM: Form = Form::in_groups(&[4, 5, 4]);

/// How many codes a set can have: with fewer, one bad day uses them up; more are not kept with care.
const COUNTS: std::ops::RangeInclusive<u32> = 4..=20;

/// A set of codes on paper or in a password store.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RecoveryCode {
    /// What hashing a code of a *new* set costs; a set remembers its own.
    cost: Cost,
}

impl RecoveryCode {
    pub(crate) const STANDARD: Self = Self { cost: Cost::STANDARD };
}

impl Factor for RecoveryCode {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn traits(&self) -> FactorTraits {
        FactorTraits {
            // A look-up secret is "something you have" (NIST SP 800-63B-4 section 3.1.2): nobody learns 65 bits by
            // heart.
            class: FactorClass::Possession,
            // With a password, look-up secrets reach AAL2 (section 2.2.1).
            aal_ceiling: Aal::Aal2,
            // `otp` is RFC 8176's word for passwords that are used once, by reference to RFC 4949; RFC 4226 and 6238
            // are only its examples. `kba` would claim knowledge, and there is no nearer value.
            amr: &[Amr::Otp],
            // Typed by hand (section 3.2.5).
            phishing_resistant: false,
            // A code is consumed by being right (section 3.2.7).
            replay_resistant: true,
            restricted: false,
            // Shown to whoever asked for the set, and sent nowhere.
            recovery_channel: None,
        }
    }

    fn begin_enrollment(
        &self,
        begin: &BeginEnrollment,
        rng: &dyn Rng,
    ) -> Result<BegunEnrollment, EnrollmentError> {
        let count = count(&begin.parameters)?;
        let codes: Vec<_> = (0..count).map(|_| FORM.generate(rng)).collect();
        let mut salt = [0; SALT_LEN];
        rng.fill(&mut salt);
        Ok(BegunEnrollment {
            record: Record::of(&codes, self.cost, &salt)?,
            parameters: BTreeMap::from([("count".to_owned(), count.to_string())]),
            provisioning: Provisioning::Codes(codes.iter().map(|code| FORM.show(code)).collect()),
        })
    }

    /// The codes are known to their user alone, so there is nothing to show again.
    fn provisioning(&self, record: &SecretBytes) -> Result<Provisioning, RecordError> {
        Record::decode(record).map(|_| Provisioning::Nothing)
    }

    /// A set is in force as soon as it is issued. Nothing is pending that a code could prove, and one that was right
    /// here would be spent without anyone's noting it.
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
        _now: Timestamp,
    ) -> Result<Verdict, RecordError> {
        let record = Record::decode(record)?;
        let Some(code) = FORM.parse(code) else { return Ok(Verdict::Wrong) };
        Ok(match record.find(&code)? {
            Some(index) => Verdict::Right(Consumes::Code { index }),
            None => Verdict::Wrong,
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

/// Reads how many codes are asked for.
fn count(parameters: &BTreeMap<String, String>) -> Result<u32, EnrollmentError> {
    let mut count = FactorSettings::default().recovery_code_count;
    for (name, value) in parameters {
        if name != "count" {
            return Err(EnrollmentError::UnknownParameter { kind: KIND, known: "count" });
        }
        let problem = FieldProblem::Other("must be 4 to 20");
        let given = value.parse().ok().filter(|count| COUNTS.contains(count));
        count = given.ok_or(FieldError::new("recovery_code.count", problem))?;
    }
    Ok(count)
}
