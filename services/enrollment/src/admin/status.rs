//! The domain's rejections in the API's words.

use countersign_domain::tenant::Rejection;
use countersign_service::{ApiError, Reason};

use crate::app::spent;

/// Translates why a command is not allowed.
pub(super) fn rejected(rejection: Rejection) -> ApiError {
    let reason = match rejection {
        Rejection::NotFound => Reason::TenantNotFound,
        Rejection::Exists => Reason::TenantExists,
        Rejection::OrganisationNotFound => Reason::OrganisationNotFound,
        Rejection::OrganisationExists => Reason::OrganisationExists,
        Rejection::TooManyOrganisations => Reason::TooManyOrganisations,
        Rejection::ApplicationNotFound => Reason::ApplicationNotFound,
        Rejection::ApplicationExists => Reason::ApplicationExists,
        Rejection::TooManyApplications => Reason::TooManyApplications,
        Rejection::ApiKeyNotFound => Reason::ApiKeyNotFound,
        Rejection::TooManyApiKeys => Reason::TooManyApiKeys,
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
            (Rejection::NotFound, "TENANT_NOT_FOUND", Code::NotFound),
            (Rejection::Exists, "TENANT_EXISTS", Code::AlreadyExists),
            (Rejection::OrganisationNotFound, "ORGANISATION_NOT_FOUND", Code::NotFound),
            (Rejection::OrganisationExists, "ORGANISATION_EXISTS", Code::AlreadyExists),
            (Rejection::TooManyOrganisations, "TOO_MANY_ORGANISATIONS", Code::FailedPrecondition),
            (Rejection::ApplicationNotFound, "APPLICATION_NOT_FOUND", Code::NotFound),
            (Rejection::ApplicationExists, "APPLICATION_EXISTS", Code::AlreadyExists),
            (Rejection::TooManyApplications, "TOO_MANY_APPLICATIONS", Code::FailedPrecondition),
            (Rejection::ApiKeyNotFound, "API_KEY_NOT_FOUND", Code::NotFound),
            (Rejection::TooManyApiKeys, "TOO_MANY_API_KEYS", Code::FailedPrecondition),
        ];
        for (rejection, reason, code) in expected {
            let error = rejected(rejection);
            assert_eq!((error.reason.as_str(), error.reason.code()), (reason, code));
            assert_eq!(error.message, rejection.to_string());
        }
    }
}
