//! What an answer says about asking again.

use std::time::Duration;

use http::{HeaderMap, Response, StatusCode};
use tonic::{Code, Status, body::Body};
use tonic_types::StatusExt as _;

/// Metadata that only statuses of our services have.
const DETAILS: &str = "grpc-status-details-bin";

/// Metadata by which a server says when a call may be repeated, in milliseconds (gRPC proposal A6).
const PUSHBACK: &str = "grpc-retry-pushback-ms";

/// Who says that a service is unavailable, and when to ask again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Advice {
    /// The answer is none of that kind.
    None,
    /// The service itself: what it stands on is away. Repeated after `wait`, or after a little while if it does not say.
    Service {
        /// How long to wait.
        wait: Option<Duration>,
    },
    /// The service itself, and that the call is not to be repeated.
    Never,
    /// Somebody on the way to the service.
    OnTheWay,
}

impl Advice {
    /// Reads what headers or trailers say.
    pub(super) fn of(metadata: &HeaderMap) -> Self {
        let status = Status::from_header_map(metadata);
        let Some(status) = status.filter(|status| status.code() == Code::Unavailable) else {
            return Self::None;
        };
        if let Some(pushback) = metadata.get(PUSHBACK) {
            let millis = pushback.to_str().ok().and_then(|text| text.parse().ok());
            return millis.map_or(Self::Never, |millis| Self::Service {
                wait: Some(Duration::from_millis(millis)),
            });
        }
        if !metadata.contains_key(DETAILS) {
            return Self::OnTheWay;
        }
        let wait = status.get_details_retry_info().and_then(|info| info.retry_delay);
        Self::Service { wait }
    }
}

/// Returns whether something on the way answered in place of the service (gRPC over HTTP/2, HTTP status codes).
pub(super) fn is_on_the_way(response: &Response<Body>) -> bool {
    let is_gateway_error = matches!(
        response.status(),
        StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
    );
    is_gateway_error || Advice::of(response.headers()) == Advice::OnTheWay
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::{ApiError, Reason, to_status};

    fn headers(status: Status) -> HeaderMap {
        status.into_http::<()>().into_parts().0.headers
    }

    #[test]
    fn only_unavailable_gives_advice() {
        assert_eq!(Advice::of(&HeaderMap::new()), Advice::None);
        assert_eq!(Advice::of(&headers(Status::not_found("no"))), Advice::None);
        assert_eq!(Advice::of(&headers(Status::unavailable("proxy"))), Advice::OnTheWay);
    }

    #[test]
    fn a_service_says_how_long_to_wait() {
        let wait = Duration::from_secs(1);
        let error = ApiError::new(Reason::LogUnavailable).retry_after(wait);
        let mut answer = headers(to_status(&error));
        assert_eq!(Advice::of(&answer), Advice::Service { wait: Some(wait) });
        answer.insert(PUSHBACK, HeaderValue::from_static("20"));
        let wait = Some(Duration::from_millis(20));
        assert_eq!(Advice::of(&answer), Advice::Service { wait });
        answer.insert(PUSHBACK, HeaderValue::from_static("-1"));
        assert_eq!(Advice::of(&answer), Advice::Never);
    }
}
