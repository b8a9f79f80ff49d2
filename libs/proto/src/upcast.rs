//! Older versions of stored events as the next newer one: chained, so that each step is written once and never edited.

use crate::event::{AttemptFailed, AttemptFailedV1, AttemptFailure};

/// Version 1 did not say why, nor when.
impl From<AttemptFailedV1> for AttemptFailed {
    fn from(event: AttemptFailedV1) -> Self {
        Self {
            challenge_id: event.challenge_id,
            authenticator_id: event.authenticator_id,
            attempts_left: event.attempts_left,
            consecutive_failures: event.consecutive_failures,
            reason: AttemptFailure::Unspecified.into(),
            failed_at: None,
            source: None,
            source_failures: None,
            unproven_failures: None,
        }
    }
}
