//! Alice's phone: it reads the key URI as any authenticator app does, and shows codes, each of them once.

use std::fmt;

use countersign_core::Timestamp;

use super::story::broken_promise;
use crate::cli::Failure;

/// How far from the server's clock a code may be by default, in steps.
const SKEW_STEPS: u64 = 1;

/// An authenticator app with one entry.
pub(super) struct Phone {
    authenticator_id: String,
    app: totp_rs::Totp,
    last_step: Option<u64>,
}

impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Phone").field("last_step", &self.last_step).finish_non_exhaustive()
    }
}

impl Phone {
    /// Scans the QR code of an authenticator.
    pub(super) fn scan(authenticator_id: String, key_uri: &str) -> Result<Self, Failure> {
        let app = totp_rs::Totp::from_url_unchecked(key_uri)
            .map_err(|_| broken_promise("every authenticator app reads the key URI"))?;
        if app.step() == 0 {
            return Err(broken_promise("a code is current for a while"));
        }
        Ok(Self { authenticator_id, app, last_step: None })
    }

    /// Returns the authenticator that the phone stands for.
    pub(super) fn authenticator_id(&self) -> &str {
        &self.authenticator_id
    }

    /// Returns the code of the present step, or the next step's if that one was shown already: the server accepts it
    /// a step early, and nobody has to wait half a minute.
    pub(super) fn next_code(&mut self, now: Timestamp) -> String {
        let present = self.step(now);
        let step = self.last_step.map_or(present, |last| present.max(last.saturating_add(1)));
        self.last_step = Some(step);
        self.code(step)
    }

    /// Returns a code that is right at no step near now.
    pub(super) fn wrong_code(&self, now: Timestamp) -> String {
        let present = self.step(now);
        // One step more than the server accepts, so that it stays wrong while it travels.
        let reach = SKEW_STEPS.saturating_add(1);
        let near = present.saturating_sub(reach)..=present.saturating_add(reach);
        let right: Vec<_> = near.map(|step| self.code(step)).collect();
        let width = usize::from(self.app.digits());
        let mut candidates = (0_u32..).map(|number| format!("{number:0width$}"));
        candidates.find(|candidate| !right.contains(candidate)).unwrap_or_default()
    }

    fn step(&self, now: Timestamp) -> u64 {
        let seconds = u64::try_from(now.unix_seconds()).unwrap_or_default();
        seconds.checked_div(self.app.step()).unwrap_or_default()
    }

    fn code(&self, step: u64) -> String {
        self.app.generate(step.saturating_mul(self.app.step())).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The secret of RFC 6238 appendix B, "12345678901234567890".
    const URI: &str = "otpauth://totp/Demo:alice?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Demo&digits=8&period=30";

    fn phone() -> Phone {
        Phone::scan("a".to_owned(), URI).unwrap()
    }

    #[test]
    fn codes_are_those_of_rfc_6238_appendix_b() {
        assert_eq!(phone().next_code(Timestamp::from_unix_seconds(59)), "94287082");
        assert_eq!(phone().next_code(Timestamp::from_unix_seconds(1_111_111_109)), "07081804");
    }

    #[test]
    fn a_code_that_was_shown_is_followed_by_the_next_step_s() {
        let mut phone = phone();
        let now = Timestamp::from_unix_seconds(1_111_111_109);
        assert_eq!(phone.next_code(now), "07081804");
        // The next step begins two seconds later: appendix B lists its code for 1111111111.
        assert_eq!(phone.next_code(now), "14050471");
    }

    #[test]
    fn a_wrong_code_is_none_of_those_nearby() {
        let now = Timestamp::from_unix_seconds(59);
        let mut phone = phone();
        let wrong = phone.wrong_code(now);
        assert_eq!(wrong, "00000000");
        assert_ne!(wrong, phone.next_code(now));
    }

    #[test]
    fn a_uri_that_no_app_reads_is_a_broken_promise() {
        assert!(Phone::scan("a".to_owned(), "otpauth://hotp/x").is_err());
    }
}
