//! The only place that makes a `tonic::Status`.

use std::sync::Arc;

use countersign_core::Chain;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::ApiError;

/// `domain` of every `google.rpc.ErrorInfo`.
const DOMAIN: &str = "countersign";

/// Translates an error for the caller. What lies underneath is not the caller's affair: it stays with the status in this
/// process, for whoever logs the response.
#[must_use]
pub fn to_status(error: &ApiError) -> Status {
    let metadata = error.metadata.iter().map(|(key, value)| ((*key).to_owned(), value.clone()));
    let mut details = ErrorDetails::with_error_info(
        error.reason.as_str(),
        DOMAIN,
        metadata.collect::<std::collections::HashMap<_, _>>(),
    );
    if let Some(field) = &error.field {
        details.add_bad_request_violation(field.field, field.problem.to_string());
    }
    if let Some(delay) = error.retry_after {
        details.set_retry_info(Some(delay));
    }
    if error.reason.code() == Code::FailedPrecondition {
        details.add_precondition_failure_violation(error.reason.as_str(), "", &*error.message);
    }
    let mut status =
        Status::with_error_details(error.reason.code(), error.message.clone(), details);
    if let Some(source) = &error.source {
        status.set_source(Arc::clone(source) as _);
    }
    status
}

/// Translates an error that ends a stream, and logs it: the line of its request has been written already.
#[must_use]
pub fn to_last_status(error: &ApiError) -> Status {
    if let Some(source) = &error.source {
        let reason = error.reason.as_str();
        tracing::warn!(reason, source = %Chain(&**source), "stream failed");
    }
    to_status(error)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use countersign_core::FieldProblem;

    use super::*;
    use crate::Reason;

    #[test]
    fn a_bad_field_is_named_with_its_mend() {
        let status = to_status(&ApiError::field("user_id", FieldProblem::Missing));
        assert_eq!(status.code(), Code::InvalidArgument);
        assert_eq!(status.message(), "user_id: is required");
        let details = status.get_error_details();
        assert_eq!(details.error_info().unwrap().reason, "FIELD_INVALID");
        assert_eq!(details.bad_request().unwrap().field_violations[0].field, "user_id");
    }

    #[test]
    fn an_outage_says_when_to_ask_again_and_keeps_its_source_to_itself() {
        let source = std::io::Error::other("disk on fire");
        let error = ApiError::new(Reason::LogUnavailable)
            .retry_after(Duration::from_secs(1))
            .caused_by(source);
        let status = to_status(&error);
        assert_eq!(status.code(), Code::Unavailable);
        let told = status.clone().into_http::<()>();
        assert!(!format!("{:?}", told.headers()).contains("disk on fire"));
        assert!(
            std::error::Error::source(&status)
                .is_some_and(|below| { below.to_string().contains("disk on fire") })
        );
        let delay = status.get_error_details().retry_info().unwrap().retry_delay;
        assert_eq!(delay, Some(Duration::from_secs(1)));
    }

    #[test]
    fn every_reason_has_a_text_of_its_own_in_capitals() {
        let texts: std::collections::BTreeSet<_> =
            Reason::ALL.iter().map(|reason| reason.as_str()).collect();
        assert_eq!(texts.len(), Reason::ALL.len());
        let capitals = |text: &&str| text.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
        assert!(texts.iter().all(capitals));
    }
}
