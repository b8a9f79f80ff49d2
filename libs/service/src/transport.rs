//! What the transport refuses before any handler sees it, said in the words of the API.

use http::Response;
use tonic::{Code, Status, body::Body};
use tower::util::MapResponseLayer;

use crate::{ApiError, Reason, to_status};

/// Metadata that only our own statuses have.
const DETAILS: &str = "grpc-status-details-bin";

/// Puts a translation of the transport's own refusals around a service.
pub type TransportLayer = MapResponseLayer<fn(Response<Body>) -> Response<Body>>;

/// Translates the transport's own refusals. Belongs inside whatever logs responses: what a caller did wrong is not our
/// fault, though the transport calls a request that it cannot decode INTERNAL.
#[must_use]
pub fn layer() -> TransportLayer {
    MapResponseLayer::new(translate)
}

fn translate(response: Response<Body>) -> Response<Body> {
    let headers = response.headers();
    if headers.contains_key(DETAILS) {
        return response;
    }
    let code = Status::from_header_map(headers).map(|status| status.code());
    let reason = if code == Some(Code::Internal) {
        Reason::RequestMalformed
    } else if code == Some(Code::OutOfRange) {
        Reason::RequestTooLarge
    } else {
        return response;
    };
    to_status(&ApiError::new(reason)).into_http()
}

#[cfg(test)]
mod tests {
    use tonic_types::StatusExt as _;

    use super::*;

    fn translated(status: Status) -> Status {
        let response = translate(status.into_http());
        Status::from_header_map(response.headers()).unwrap()
    }

    #[test]
    fn a_request_that_is_no_message_or_too_large_is_the_callers_fault() {
        let malformed = translated(Status::internal("failed to decode Protobuf message"));
        assert_eq!(malformed.code(), Code::InvalidArgument);
        let reason = malformed.get_details_error_info().unwrap().reason;
        assert_eq!(reason, "REQUEST_MALFORMED");
        let large = translated(Status::out_of_range("decoded message length too large"));
        assert_eq!(large.code(), Code::OutOfRange);
        assert_eq!(large.get_details_error_info().unwrap().reason, "REQUEST_TOO_LARGE");
    }

    #[test]
    fn our_own_statuses_and_answers_pass_as_they_are() {
        let ours = translated(to_status(&ApiError::new(Reason::Internal)));
        assert_eq!(ours.code(), Code::Internal);
        assert_eq!(translated(Status::not_found("no such service")).code(), Code::NotFound);
        let answer = translate(Response::new(Body::empty()));
        assert!(Status::from_header_map(answer.headers()).is_none());
    }
}
