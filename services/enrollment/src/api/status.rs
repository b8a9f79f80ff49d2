//! The domain's rejections in the API's words.

use countersign_domain::user_authenticators::Rejection;
use countersign_service::{ApiError, Reason};

/// Translates why a command is not allowed.
pub(crate) fn rejected(rejection: Rejection) -> ApiError {
    let reason = match rejection {
        Rejection::NotFound => Reason::AuthenticatorNotFound,
        Rejection::TooMany => Reason::TooManyAuthenticators,
        Rejection::EnrollmentClosed => Reason::EnrollmentClosed,
        Rejection::EnrollmentExpired => Reason::EnrollmentExpired,
        Rejection::NotActive => Reason::AuthenticatorNotActive,
        Rejection::NotSuspended => Reason::AuthenticatorNotSuspended,
        Rejection::Removed => Reason::AuthenticatorRemoved,
    };
    ApiError::with_message(reason, rejection.to_string())
}
