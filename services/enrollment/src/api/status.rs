//! The domain's rejections in the API's words.

use countersign_domain::user_authenticators::Rejection;
use countersign_keys::VaultError;
use countersign_service::{ApiError, Reason};

use crate::app::spent;

/// Translates why a command is not allowed.
pub(crate) fn rejected(rejection: Rejection) -> ApiError {
    let reason = match rejection {
        Rejection::NotFound => Reason::AuthenticatorNotFound,
        Rejection::TooMany => Reason::TooManyAuthenticators,
        Rejection::EnrollmentClosed => Reason::EnrollmentClosed,
        Rejection::EnrollmentExpired => Reason::EnrollmentExpired,
        Rejection::NotActive => Reason::AuthenticatorNotActive,
        Rejection::NotSuspended => Reason::AuthenticatorNotSuspended,
        Rejection::NeverDefault => Reason::AuthenticatorNeverDefault,
        Rejection::Removed => Reason::AuthenticatorRemoved,
        Rejection::Erased => Reason::UserErased,
        Rejection::SecretsSuperseded => return VaultError::Superseded.into(),
        // Whoever asks gets past it once, unless what was agreed to is done.
        Rejection::NeedsApproval(_) => return spent(),
    };
    ApiError::with_message(reason, rejection.to_string())
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;

    #[test]
    fn each_rejection_has_its_reason_and_code() {
        let expected = [
            (Rejection::NotFound, "AUTHENTICATOR_NOT_FOUND", Code::NotFound),
            (Rejection::TooMany, "TOO_MANY_AUTHENTICATORS", Code::FailedPrecondition),
            (Rejection::EnrollmentClosed, "ENROLLMENT_CLOSED", Code::FailedPrecondition),
            (Rejection::EnrollmentExpired, "ENROLLMENT_EXPIRED", Code::FailedPrecondition),
            (Rejection::NotActive, "AUTHENTICATOR_NOT_ACTIVE", Code::FailedPrecondition),
            (Rejection::NotSuspended, "AUTHENTICATOR_NOT_SUSPENDED", Code::FailedPrecondition),
            (Rejection::NeverDefault, "AUTHENTICATOR_NEVER_DEFAULT", Code::FailedPrecondition),
            (Rejection::Removed, "AUTHENTICATOR_REMOVED", Code::FailedPrecondition),
            (Rejection::Erased, "USER_ERASED", Code::FailedPrecondition),
        ];
        for (rejection, reason, code) in expected {
            let error = rejected(rejection);
            assert_eq!((error.reason.as_str(), error.reason.code()), (reason, code));
            assert_eq!(error.message, rejection.to_string());
        }
        let error = rejected(Rejection::SecretsSuperseded);
        assert_eq!(error.reason.as_str(), "CONTENDED");
    }
}
