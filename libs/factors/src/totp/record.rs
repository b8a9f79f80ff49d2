//! What is remembered of a TOTP authenticator.

use countersign_core::SecretBytes;
use serde::{Deserialize, Serialize};

use super::{
    KIND,
    parameters::{Algorithm, PERIODS},
};
use crate::{EnrollmentError, RecordError, record};

const VERSION: u8 = 1;

/// The shortest secret, in bytes (RFC 4226 section 4 R6).
const SECRET_MIN: usize = 16;

/// Version 1. Holds the names too, so that a repeated request is shown the same key URI.
///
/// Borrows from bytes that are wiped on drop, so that there is no second copy of the secret to wipe.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(super) struct Record<'a> {
    pub(super) algorithm: Algorithm,
    pub(super) digits: u8,
    pub(super) period_seconds: u16,
    pub(super) secret: &'a [u8],
    pub(super) issuer: &'a str,
    pub(super) account_name: &'a str,
}

impl<'a> Record<'a> {
    pub(super) fn encode(&self) -> Result<SecretBytes, EnrollmentError> {
        // The numbers and the three lengths take less than 32 bytes.
        let capacity = 32 + self.secret.len() + self.issuer.len() + self.account_name.len();
        record::encode(VERSION, self, capacity)
            .map_err(|_| EnrollmentError::Record { kind: KIND, reason: "it could not be written" })
    }

    pub(super) fn decode(bytes: &'a SecretBytes) -> Result<Self, RecordError> {
        let record: Self = record::decode(VERSION, bytes)?;
        if !matches!(record.digits, 6 | 8) {
            return Err(RecordError::damaged("its codes have neither 6 nor 8 digits"));
        }
        if !PERIODS.contains(&record.period_seconds) {
            return Err(RecordError::damaged("its period is not 15 to 300 seconds"));
        }
        if record.secret.len() < SECRET_MIN {
            return Err(RecordError::damaged("its secret is shorter than 128 bits"));
        }
        Ok(record)
    }
}
