//! What those are told who ask for too much: which limit, and when to ask again.

use std::time::Duration;

use countersign_core::Rng as _;

use crate::{ApiError, OsRandom, Reason};

/// About how long to wait before an overloaded process is asked again.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(200);

/// About how long to wait for another stream to end.
const STREAM_AGAIN_AFTER: Duration = Duration::from_secs(2);

/// Whose limit it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    Caller,
    Tenant,
    Source,
    User,
}

impl Whose {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Tenant => "tenant",
            Self::Source => "source",
            Self::User => "user",
        }
    }
}

/// Refuses a request that came too soon; the next will be let through after `wait`.
pub(super) fn too_soon(whose: Whose, wait: Duration) -> ApiError {
    let message = format!("too many requests of this {}", whose.as_str());
    ApiError::with_message(Reason::RateLimited, message)
        .with("limit", whose.as_str())
        .retry_after(wait)
}

/// Refuses a stream of somebody who has as many as are allowed.
pub(super) fn too_many_streams(whose: Whose) -> ApiError {
    let message = format!("too many streams of this {} are open", whose.as_str());
    ApiError::with_message(Reason::RateLimited, message)
        .with("limit", whose.as_str())
        .retry_after(jittered(STREAM_AGAIN_AFTER))
}

/// Refuses a request because the process has enough to do.
pub(super) fn overloaded() -> ApiError {
    ApiError::new(Reason::Overloaded).retry_after(jittered(ASK_AGAIN_AFTER))
}

/// Returns between half and one and a half of `about`, so that those who were refused together do not come back together.
fn jittered(about: Duration) -> Duration {
    let mut random = [0; 1];
    OsRandom.fill(&mut random);
    let [random] = random;
    about / 2 + about.saturating_mul(u32::from(random)) / 256
}
