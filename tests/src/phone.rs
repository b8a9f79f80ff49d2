//! A user's authenticator app: other people's code, which knows nothing but the key URI.

use std::fmt;

use countersign_core::Timestamp;

/// An authenticator app with one entry.
#[derive(Clone)]
pub struct Phone {
    /// The authenticator that it stands for.
    pub authenticator_id: String,
    /// What it scanned.
    pub key_uri: String,
    app: totp_rs::Totp,
}

impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Phone").field("authenticator_id", &self.authenticator_id).finish()
    }
}

impl Phone {
    /// Scans the QR code of an authenticator.
    #[must_use]
    pub fn scan(authenticator_id: &str, key_uri: &str) -> Self {
        let app = totp_rs::Totp::from_url_unchecked(key_uri).unwrap();
        Self { authenticator_id: authenticator_id.to_owned(), key_uri: key_uri.to_owned(), app }
    }

    /// Returns the code shown at `now`.
    #[must_use]
    pub fn code(&self, now: Timestamp) -> String {
        self.app.generate(now.unix_seconds().unsigned_abs()).to_string()
    }

    /// Returns how long a code is current, in seconds.
    #[must_use]
    pub fn period(&self) -> u64 {
        self.app.step()
    }

    /// Returns a code that is right neither at `now` nor in the three steps to either side.
    #[must_use]
    pub fn wrong_code(&self, now: Timestamp) -> String {
        let period = i64::try_from(self.period()).unwrap();
        let near: Vec<_> = (-3..=3)
            .map(|step| self.code(Timestamp::from_unix_seconds(now.unix_seconds() + step * period)))
            .collect();
        let width = usize::from(self.app.digits());
        (0..).map(|n: u32| format!("{n:0width$}")).find(|code| !near.contains(code)).unwrap()
    }
}
