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
