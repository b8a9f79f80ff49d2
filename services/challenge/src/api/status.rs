//! The domain's rejections in the API's words.

use countersign_core::Timestamp;
use countersign_domain::user_challenges::{ChallengeState, Rejection};
use countersign_service::{ApiError, Reason};

/// Translates why a command is not allowed at `now`.
pub(crate) fn rejected(rejection: Rejection, now: Timestamp) -> ApiError {
    let reason = match rejection {
        Rejection::NotFound => Reason::ChallengeNotFound,
        Rejection::Closed(_) => Reason::ChallengeClosed,
        Rejection::Expired => Reason::ChallengeExpired,
        Rejection::NotAllowed => Reason::AuthenticatorNotAllowed,
        Rejection::Throttled { .. } => Reason::Throttled,
        Rejection::NotThrottled => Reason::NotThrottled,
    };
    let error = ApiError::with_message(reason, rejection.to_string());
    match rejection {
        Rejection::Closed(state) => error.with("state", state_name(state)),
        Rejection::Throttled { until: Some(until) } => {
            error.with("until", until.to_string()).retry_after(until.since(now))
        }
        Rejection::Throttled { until: None }
        | Rejection::NotFound
        | Rejection::Expired
        | Rejection::NotAllowed
        | Rejection::NotThrottled => error,
    }
}

const fn state_name(state: ChallengeState) -> &'static str {
    match state {
        ChallengeState::Pending => "pending",
        ChallengeState::Verified => "verified",
        ChallengeState::Exhausted => "exhausted",
        ChallengeState::Expired => "expired",
        ChallengeState::Canceled => "canceled",
        ChallengeState::Superseded => "superseded",
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use countersign_service::to_status;
    use tonic::Code;
    use tonic_types::StatusExt as _;

    use super::*;

    const NOW: Timestamp = Timestamp::from_unix_seconds(1_767_225_600);

    #[test]
    fn each_rejection_has_its_reason_and_code() {
        let closed = Rejection::Closed(ChallengeState::Verified);
        let throttled = Rejection::Throttled { until: None };
        let expected = [
            (Rejection::NotFound, "CHALLENGE_NOT_FOUND", Code::NotFound),
            (closed, "CHALLENGE_CLOSED", Code::FailedPrecondition),
            (Rejection::Expired, "CHALLENGE_EXPIRED", Code::FailedPrecondition),
            (Rejection::NotAllowed, "AUTHENTICATOR_NOT_ALLOWED", Code::FailedPrecondition),
            (throttled, "THROTTLED", Code::ResourceExhausted),
            (Rejection::NotThrottled, "NOT_THROTTLED", Code::FailedPrecondition),
        ];
        for (rejection, reason, code) in expected {
            let status = to_status(&rejected(rejection, NOW));
            assert_eq!(status.get_details_error_info().unwrap().reason, reason);
            assert_eq!(status.code(), code, "{reason}");
            assert_eq!(status.message(), rejection.to_string());
            assert!(status.get_details_retry_info().is_none(), "{reason} does not pass by itself");
        }
    }

    #[test]
    fn a_pause_says_how_long_it_lasts_and_none_that_it_does_not_end() {
        let delay = |until| {
            let status = to_status(&rejected(Rejection::Throttled { until }, NOW));
            let until = status.get_details_error_info().unwrap().metadata.get("until").cloned();
            (status.get_details_retry_info().and_then(|info| info.retry_delay), until)
        };
        let half_a_minute = Duration::from_secs(30);
        let until = "2026-01-01T00:00:30Z".to_owned();
        assert_eq!(delay(Some(NOW.plus(half_a_minute))), (Some(half_a_minute), Some(until)));
        assert_eq!(delay(None), (None, None));
    }

    #[test]
    fn a_closed_challenge_says_how_it_ended() {
        let ends = [
            (ChallengeState::Pending, "pending"),
            (ChallengeState::Verified, "verified"),
            (ChallengeState::Exhausted, "exhausted"),
            (ChallengeState::Expired, "expired"),
            (ChallengeState::Canceled, "canceled"),
            (ChallengeState::Superseded, "superseded"),
        ];
        for (state, name) in ends {
            let status = to_status(&rejected(Rejection::Closed(state), NOW));
            let metadata = status.get_details_error_info().unwrap().metadata;
            assert_eq!(metadata.get("state").map(String::as_str), Some(name));
        }
    }
}
