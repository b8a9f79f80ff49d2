//! The domain's rejections in the API's words.

use countersign_domain::tenant::Rejection;
use countersign_service::{ApiError, Reason};

/// Translates why a command is not allowed.
pub(super) fn rejected(rejection: Rejection) -> ApiError {
    let reason = match rejection {
        Rejection::NotFound => Reason::TenantNotFound,
        Rejection::Exists => Reason::TenantExists,
        Rejection::ApplicationNotFound => Reason::ApplicationNotFound,
        Rejection::ApplicationExists => Reason::ApplicationExists,
        Rejection::TooManyApplications => Reason::TooManyApplications,
        Rejection::ApiKeyNotFound => Reason::ApiKeyNotFound,
        Rejection::TooManyApiKeys => Reason::TooManyApiKeys,
    };
    ApiError::with_message(reason, rejection.to_string())
}
