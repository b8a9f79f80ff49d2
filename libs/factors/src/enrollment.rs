//! What is asked and told when an authenticator is set up.

use std::{collections::BTreeMap, fmt};

use countersign_core::{FieldError, SecretBytes, SecretString};

/// What is asked.
#[derive(Clone)]
pub struct BeginEnrollment {
    /// What the authenticator app shows as the account. Personal data: often an e-mail address.
    pub account_name: String,
    /// What the authenticator app shows as the provider of the account.
    pub issuer: String,
    /// Parameters in the kind's own words; a default takes the place of what is absent.
    pub parameters: BTreeMap<String, String>,
}

/// Does not show the account's name.
impl fmt::Debug for BeginEnrollment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BeginEnrollment")
            .field("account_name", &"[redacted]")
            .field("issuer", &self.issuer)
            .field("parameters", &self.parameters)
            .finish()
    }
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct BegunEnrollment {
    /// What the factor has to remember: opaque to all others, and secret.
    pub record: SecretBytes,
    /// The parameters in force, in the words that they are asked in.
    pub parameters: BTreeMap<String, String>,
    /// What the user needs to set the authenticator up.
    pub provisioning: Provisioning,
}

/// What the user needs to set an authenticator up.
#[derive(Clone, Debug)]
pub enum Provisioning {
    /// A shared secret for an authenticator app.
    KeyUri {
        /// The whole of it, to be shown as a QR code.
        uri: SecretString,
        /// The secret alone in base32 without padding, to be typed in.
        secret_base32: SecretString,
    },
    /// Codes to keep, shown this once.
    Codes(Vec<SecretString>),
    /// Nothing, or nothing any more.
    Nothing,
}

/// Why an enrolment did not begin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnrollmentError {
    /// A parameter cannot be used; the field is named as the API names it.
    #[error(transparent)]
    Parameter(#[from] FieldError),
    /// The kind has no such parameter. The caller's own doing: the API has no field for it either.
    #[error("{kind} has no such parameter; it has {known}")]
    UnknownParameter {
        /// The kind.
        kind: &'static str,
        /// The parameters it has.
        known: &'static str,
    },
    /// The record could not be made, for example for want of memory.
    #[error("the {kind} record could not be made: {reason}")]
    Record {
        /// The kind.
        kind: &'static str,
        /// What went wrong.
        reason: &'static str,
    },
}
