//! Assurance words: AAL (NIST SP 800-63B-4 section 2), acr (OIDC Core section 2) and amr (RFC 8176).

use serde::{Deserialize, Serialize};

/// Authenticator assurance level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Aal {
    /// One factor.
    Aal1,
    /// Two distinct factors.
    Aal2,
    /// Two distinct factors, one of them phishing-resistant with a key that cannot be exported.
    Aal3,
}

impl Aal {
    /// Returns the authentication context class reference that names this level on the wire.
    #[must_use]
    pub const fn acr(self) -> &'static str {
        match self {
            Self::Aal1 => "urn:countersign:acr:aal1",
            Self::Aal2 => "urn:countersign:acr:aal2",
            Self::Aal3 => "urn:countersign:acr:aal3",
        }
    }
}

/// Authentication method reference, as registered by RFC 8176 section 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Amr {
    /// Fingerprint.
    Fpt,
    /// Proof of possession of a hardware-secured key.
    Hwk,
    /// Knowledge-based.
    Kba,
    /// Multiple-channel authentication.
    Mca,
    /// Multiple-factor authentication.
    Mfa,
    /// One-time password.
    Otp,
    /// PIN or pattern that unlocks an authenticator.
    Pin,
    /// Password.
    Pwd,
    /// Confirmation by text message.
    Sms,
    /// Proof of possession of a software-secured key.
    Swk,
    /// Confirmation by telephone call.
    Tel,
    /// User presence.
    User,
}

impl Amr {
    /// Returns the registered value.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fpt => "fpt",
            Self::Hwk => "hwk",
            Self::Kba => "kba",
            Self::Mca => "mca",
            Self::Mfa => "mfa",
            Self::Otp => "otp",
            Self::Pin => "pin",
            Self::Pwd => "pwd",
            Self::Sms => "sms",
            Self::Swk => "swk",
            Self::Tel => "tel",
            Self::User => "user",
        }
    }
}

/// What an authenticator proves (NIST SP 800-63B-4 section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum FactorClass {
    /// Something that the user knows.
    Knowledge,
    /// Something that the user has.
    Possession,
    /// Something that the user is.
    Inherence,
}
