//! Codes: reading them as people type them, and finding the steps that they fit.

use countersign_core::Timestamp;
use subtle::ConstantTimeEq as _;
use totp_rs::Builder;
use zeroize::Zeroizing;

use super::{parameters::Algorithm, record::Record};
use crate::RecordError;

/// Six or eight digits.
pub(super) struct Code(Zeroizing<Vec<u8>>);

impl Code {
    const LONGEST: usize = 8;

    /// Reads a code, passing over the spaces and hyphens that apps show and people type between groups.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut digits = Zeroizing::new(Vec::with_capacity(Self::LONGEST));
        for c in text.chars().filter(|c| !c.is_whitespace() && *c != '-') {
            let digit = u8::try_from(c).ok().filter(u8::is_ascii_digit)?;
            if digits.len() == Self::LONGEST {
                return None;
            }
            digits.push(digit);
        }
        matches!(digits.len(), 6 | 8).then_some(Self(digits))
    }
}

impl Record<'_> {
    /// Returns every step, `skew` to either side of `now`, whose code this is, ascending.
    ///
    /// Goes through the whole window whatever it finds, and compares in constant time, so that the time taken says
    /// nothing about how much of a code is right.
    pub(super) fn matching_steps(
        &self,
        code: &Code,
        skew: u32,
        now: Timestamp,
    ) -> Result<Vec<u64>, RecordError> {
        let generator = self.generator()?;
        let period = u64::from(self.period_seconds);
        let step = now.unix_seconds().div_euclid(i64::from(self.period_seconds));
        let window = step.saturating_sub(skew.into())..=step.saturating_add(skew.into());
        // Before 1970 there were no steps (RFC 6238 section 4.2: T0 is the epoch).
        let steps = window.filter_map(|step| u64::try_from(step).ok());
        let fits = |step: &u64| {
            let expected = generator.generate(step.saturating_mul(period));
            let expected = Zeroizing::new(expected.to_string());
            bool::from(expected.as_bytes().ct_eq(&code.0))
        };
        Ok(steps.filter(fits).collect())
    }

    fn generator(&self) -> Result<totp_rs::Totp, RecordError> {
        let algorithm = match self.algorithm {
            Algorithm::Sha1 => totp_rs::Algorithm::SHA1,
            Algorithm::Sha256 => totp_rs::Algorithm::SHA256,
            Algorithm::Sha512 => totp_rs::Algorithm::SHA512,
        };
        // The window is ours: the crate's own stops at the first step that fits.
        let builder = Builder::new()
            .with_algorithm(algorithm)
            .with_digits(self.digits)
            .with_step_duration(self.period_seconds.into())
            .with_secret(self.secret);
        builder.build().map_err(|_| RecordError::damaged("no codes can be made from it"))
    }

    /// Returns the code of a step.
    #[cfg(test)]
    pub(super) fn code_at(&self, step: u64) -> String {
        self.generator().unwrap().generate(step * u64::from(self.period_seconds)).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<String> {
        Code::parse(text).map(|code| String::from_utf8(code.0.to_vec()).unwrap())
    }

    #[test]
    fn a_code_is_read_as_people_type_it() {
        for typed in ["123456", " 123 456 ", "123-456", "12\u{a0}34\t56\n", "1 2 3 4 5 6"] {
            assert_eq!(read(typed).as_deref(), Some("123456"), "{typed:?}");
        }
        assert_eq!(read("0000 0001").as_deref(), Some("00000001"));
    }

    #[test]
    fn what_is_not_six_or_eight_digits_is_no_code() {
        let not_codes = [
            "",
            "-",
            "12345",
            "1234567",
            "123456789",
            "12345a",
            "+123456",
            "１２３４５６",
            "12345٣",
        ];
        for typed in not_codes {
            assert_eq!(read(typed), None, "{typed:?}");
        }
        assert_eq!(read(&"1".repeat(1_000_000)), None);
    }
}
