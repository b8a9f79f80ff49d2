//! Time-based one-time passwords (RFC 6238), as authenticator apps make them.

mod code;
mod key_uri;
mod parameters;
#[cfg(test)]
mod properties;
mod record;
#[cfg(test)]
mod vectors;

use countersign_core::{
    Aal, Amr, FactorClass, FieldError, FieldProblem, Rng, SecretBytes, Timestamp,
};
use zeroize::Zeroizing;

use self::{code::Code, parameters::Parameters, record::Record};
use crate::{
    BeginEnrollment, BegunEnrollment, Consumes, EnrollmentError, Factor, FactorSettings,
    FactorTraits, Provisioning, RecordError, Verdict,
};

const KIND: &str = "totp";

/// The longest name of an account, in bytes: with the longest issuer and every byte escaped, the key URI still fits
/// into a QR code.
const ACCOUNT_NAME_MAX: usize = 256;

/// The widest window, in steps to either side: each step let in is one more guess that is right.
const SKEW_STEPS_MAX: u32 = 10;

/// An authenticator app that shares a secret and a clock with us.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Totp;

impl Factor for Totp {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn traits(&self) -> FactorTraits {
        FactorTraits {
            // A single-factor OTP authenticator (NIST SP 800-63B-4 section 3.1.4).
            class: FactorClass::Possession,
            // With a password it reaches AAL2 (section 2.2.1); AAL3 asks for resistance to phishing (2.3.2).
            aal_ceiling: Aal::Aal2,
            // RFC 8176 section 2 names RFC 6238 as an instance of `otp`.
            amr: &[Amr::Otp],
            // Typed by hand, so it can be typed into the wrong page (section 3.2.5).
            phishing_resistant: false,
            // A code is consumed by being right (section 3.2.7).
            replay_resistant: true,
            restricted: false,
            recovery_channel: None,
        }
    }

    fn begin_enrollment(
        &self,
        begin: &BeginEnrollment,
        rng: &dyn Rng,
    ) -> Result<BegunEnrollment, EnrollmentError> {
        check_account_name(&begin.account_name)?;
        let parameters = Parameters::parse(&begin.parameters)?;
        // As long as the hash (RFC 4226 section 4 R6 and RFC 6238 section 5.1: keys of the length of the HMAC output).
        let mut secret = Zeroizing::new(vec![0; parameters.algorithm.output_len()]);
        rng.fill(&mut secret);
        let record = Record {
            algorithm: parameters.algorithm,
            digits: parameters.digits,
            period_seconds: parameters.period_seconds,
            secret: &secret,
            issuer: &begin.issuer,
            account_name: &begin.account_name,
        };
        Ok(BegunEnrollment {
            record: record.encode()?,
            parameters: parameters.told(),
            provisioning: key_uri::provisioning(&record),
        })
    }

    fn provisioning(&self, record: &SecretBytes) -> Result<Provisioning, RecordError> {
        Ok(key_uri::provisioning(&Record::decode(record)?))
    }

    fn verify(
        &self,
        record: &SecretBytes,
        settings: &FactorSettings,
        code: &str,
        now: Timestamp,
    ) -> Result<Verdict, RecordError> {
        let record = Record::decode(record)?;
        let Some(code) = Code::parse(code) else { return Ok(Verdict::Wrong) };
        let skew = settings.totp_skew_steps.min(SKEW_STEPS_MAX);
        let steps = record.matching_steps(&code, skew, now)?;
        Ok(if steps.is_empty() {
            Verdict::Wrong
        } else {
            Verdict::Right(Consumes::MovingFactor(steps))
        })
    }

    fn recognises(&self, code: &str) -> bool {
        Code::parse(code).is_some()
    }
}

fn check_account_name(name: &str) -> Result<(), FieldError> {
    let problem = match name.len() {
        _ if name.trim().is_empty() => FieldProblem::Missing,
        actual if actual > ACCOUNT_NAME_MAX => {
            FieldProblem::Length { min: 1, max: ACCOUNT_NAME_MAX, actual }
        }
        _ => return Ok(()),
    };
    Err(FieldError::new("account_name", problem))
}
