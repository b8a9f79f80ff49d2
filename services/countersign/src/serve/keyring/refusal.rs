//! Why keys are not rotated, as callers are told.

use std::time::Duration;

use countersign_domain::keyring::Rejection;
use countersign_keys::{OpenError, ProviderError, RotationError};
use countersign_service::{ApiError, Reason};

use super::KeyringError;

/// When it makes sense to ask again while somebody else rotates, or the provider is away.
const RETRY_AFTER: Duration = Duration::from_secs(1);

impl From<KeyringError> for ApiError {
    fn from(error: KeyringError) -> Self {
        match error {
            KeyringError::Changed => Self::new(Reason::KeyringChanged),
            KeyringError::Shared => Self::new(Reason::KeysShared),
            KeyringError::Rotation(error) => of_rotation(error),
        }
    }
}

/// Says why the log takes no such event.
pub(super) fn rejected(rejection: Rejection) -> ApiError {
    match rejection {
        Rejection::SecretRotationUnderWay => {
            ApiError::with_message(Reason::RotationRefused, rejection.to_string())
        }
        // Nobody serves with such keys.
        Rejection::OtherKeys => ApiError::internal(rejection),
    }
}

fn of_rotation(error: RotationError) -> ApiError {
    let refused =
        |error: &RotationError| ApiError::with_message(Reason::RotationRefused, error.to_string());
    match error {
        RotationError::Busy => ApiError::new(Reason::KeysBusy).retry_after(RETRY_AFTER),
        RotationError::TooSoon { seconds } => {
            refused(&error).retry_after(Duration::from_secs(seconds))
        }
        RotationError::RingFull { .. }
        | RotationError::TooManySigning { .. }
        | RotationError::StillWrapped { .. } => refused(&error),
        RotationError::Keys(OpenError::Provider(error)) => of_provider(error),
        RotationError::Keys(error @ OpenError::Unavailable(_)) => unavailable().caused_by(error),
        RotationError::Keys(error @ OpenError::Damaged(_)) => {
            ApiError::new(Reason::DataDamaged).caused_by(error)
        }
        error @ (RotationError::Keys(_) | RotationError::Signing(_)) => ApiError::internal(error),
    }
}

/// The provider's own words hold no secrets, and say what to look at.
fn of_provider(error: ProviderError) -> ApiError {
    if matches!(error, ProviderError::Away { .. }) {
        unavailable().caused_by(error)
    } else {
        ApiError::with_message(Reason::KeyProviderRefused, error.to_string())
    }
}

fn unavailable() -> ApiError {
    ApiError::new(Reason::KeysUnavailable).retry_after(RETRY_AFTER)
}

#[cfg(test)]
mod tests {
    use countersign_keys::ProviderKind;

    use super::*;

    fn told(error: RotationError) -> ApiError {
        KeyringError::from(error).into()
    }

    #[test]
    fn what_the_caller_can_mend_is_told_in_words() {
        let error = told(RotationError::StillWrapped { count: 3, version: 2 });
        assert_eq!(error.reason, Reason::RotationRefused);
        assert!(error.message.starts_with("3 keys are not wrapped under version 2"), "{error:?}");
        let error = told(RotationError::TooSoon { seconds: 7 });
        assert_eq!(error.retry_after, Some(Duration::from_secs(7)));
        assert_eq!(told(RotationError::Busy).reason, Reason::KeysBusy);
    }

    #[test]
    fn a_provider_that_is_away_is_told_from_one_that_refuses() {
        let provider = ProviderKind::Vault;
        let away = ProviderError::Away { provider, what: "sealed".to_owned() };
        let error = told(OpenError::from(away).into());
        assert_eq!(error.reason, Reason::KeysUnavailable);
        assert!(error.retry_after.is_some());
        let what = "permission denied".to_owned();
        let refuses = ProviderError::Forbidden { provider, what, mend: "the token" };
        let error = told(OpenError::from(refuses).into());
        assert_eq!(error.reason, Reason::KeyProviderRefused);
        assert!(error.message.contains("vault refuses: permission denied"), "{error:?}");
    }
}
