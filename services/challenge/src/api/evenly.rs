//! Refusals take the same time, whatever is refused: an unknown user, challenge or authenticator and a wrong code are found
//! out after different work, and the difference would tell them apart.

use std::time::Duration;

use countersign_core::Rng;
use countersign_proto::challenge::{VerificationOutcome, VerifyChallengeResponse};
use countersign_service::{ApiError, Reason};
use tokio::time::{Instant, sleep_until};

/// How long a refusal takes at least: longer than judging a one-time password and storing the attempt take on a server that
/// is not overloaded. Judging a recovery code takes longer than this by its memory-hard hash, and only for users who have
/// some.
const REFUSED_AFTER: Duration = Duration::from_millis(25);

/// Over so many whole milliseconds the end is drawn. Timers tick by the millisecond, counted from when a thread last had nothing to
/// do, and that tells what it did before; once the end is drawn, any part of a tick is as likely after any work.
const SPREAD_MILLIS: u32 = 4;

/// Holds a refusal back until its time, counted from `began`; anything else is returned at once.
pub(super) async fn evenly(
    began: Instant,
    rng: &dyn Rng,
    answer: Result<VerifyChallengeResponse, ApiError>,
) -> Result<VerifyChallengeResponse, ApiError> {
    if is_refusal(&answer) {
        sleep_until(began + REFUSED_AFTER + spread(rng)).await;
    }
    answer
}

/// Draws a part of the spread, to the microsecond.
fn spread(rng: &dyn Rng) -> Duration {
    let mut drawn = [0; 4];
    rng.fill(&mut drawn);
    Duration::from_micros((u32::from_le_bytes(drawn) % (SPREAD_MILLIS * 1_000)).into())
}

fn is_refusal(answer: &Result<VerifyChallengeResponse, ApiError>) -> bool {
    match answer {
        Ok(answer) => answer.outcome() != VerificationOutcome::Verified,
        // What is wrong with the request itself, and what is wrong with the server, says nothing of users.
        Err(error) => !matches!(
            error.reason,
            Reason::FieldInvalid
                | Reason::LogUnavailable
                | Reason::KeysUnavailable
                | Reason::Contended
                | Reason::RequestIdReused
                | Reason::DataDamaged
                | Reason::Internal
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Draws the same again and again.
    struct Always(u8);

    impl Rng for Always {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0);
        }
    }

    async fn taken(answer: Result<VerifyChallengeResponse, ApiError>) -> Duration {
        let began = Instant::now();
        // The work that was done before.
        tokio::time::advance(Duration::from_millis(3)).await;
        drop(evenly(began, &Always(0), answer).await);
        began.elapsed()
    }

    #[test]
    fn the_end_is_drawn_from_whole_ticks() {
        for drawn in 0..=255 {
            assert!(spread(&Always(drawn)) < Duration::from_millis(SPREAD_MILLIS.into()));
        }
        assert_ne!(spread(&Always(1)), spread(&Always(2)));
    }

    fn with(outcome: VerificationOutcome) -> Result<VerifyChallengeResponse, ApiError> {
        Ok(VerifyChallengeResponse { outcome: outcome.into(), ..Default::default() })
    }

    #[tokio::test(start_paused = true)]
    async fn a_wrong_code_and_what_is_unknown_take_the_same_time() {
        assert_eq!(taken(with(VerificationOutcome::Refused)).await, REFUSED_AFTER);
        for reason in [
            Reason::ChallengeNotFound,
            Reason::ChallengeClosed,
            Reason::ChallengeExpired,
            Reason::AuthenticatorNotAllowed,
            Reason::Throttled,
            Reason::UserErased,
            Reason::PermissionDenied,
        ] {
            assert_eq!(taken(Err(ApiError::new(reason))).await, REFUSED_AFTER, "{reason:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_what_tells_nothing_of_users() {
        let at_once = Duration::from_millis(3);
        assert_eq!(taken(with(VerificationOutcome::Verified)).await, at_once);
        for reason in [Reason::FieldInvalid, Reason::LogUnavailable, Reason::Contended] {
            assert_eq!(taken(Err(ApiError::new(reason))).await, at_once, "{reason:?}");
        }
    }
}
