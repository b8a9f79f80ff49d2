//! Refusals of those who ask for too much: as many as they like to cause. They are told seldom, so that a flood of calls is no
//! flood of lines.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::Reason;

/// How long such a refusal stands for all that follow for the same reason.
const STANDS_FOR: Duration = Duration::from_secs(1);

/// Says which refusals are told, and counts the others. Nothing was carried out for any of them, so that nobody will look for
/// one by its correlation id.
#[derive(Debug, Default)]
pub(crate) struct Seldom {
    overloaded: Mutex<Flood>,
    rate_limited: Mutex<Flood>,
}

/// Refusals for one reason.
#[derive(Debug, Default)]
struct Flood {
    told_at: Option<Instant>,
    untold: u64,
}

impl Seldom {
    /// Decides on an answer with this status: `None` if it is not to be told, otherwise how many of its kind went untold since
    /// the last that was.
    pub(crate) fn untold(&self, status: Option<&Status>) -> Option<u64> {
        let Some(flood) = status.and_then(|status| self.flood(status)) else { return Some(0) };
        let mut flood = flood.lock();
        if flood.told_at.is_some_and(|at| at.elapsed() < STANDS_FOR) {
            flood.untold += 1;
            return None;
        }
        flood.told_at = Some(Instant::now());
        Some(std::mem::take(&mut flood.untold))
    }

    fn flood(&self, status: &Status) -> Option<&Mutex<Flood>> {
        // The reason is looked up only where it may be one of these.
        if !matches!(status.code(), Code::Unavailable | Code::ResourceExhausted) {
            return None;
        }
        let given = status.get_details_error_info()?.reason;
        let floods =
            [(Reason::Overloaded, &self.overloaded), (Reason::RateLimited, &self.rate_limited)];
        floods.into_iter().find_map(|(reason, flood)| (reason.as_str() == given).then_some(flood))
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;
    use crate::{ApiError, to_status};

    fn refusal(reason: Reason) -> Status {
        to_status(&ApiError::new(reason))
    }

    #[tokio::test(start_paused = true)]
    async fn of_a_flood_one_a_second_is_told_with_how_many_were_not() {
        let (seldom, overloaded) = (Seldom::default(), refusal(Reason::Overloaded));
        let mut told = Vec::new();
        for _ in 0..2_500 {
            told.extend(seldom.untold(Some(&overloaded)));
            advance(Duration::from_millis(1)).await;
        }
        assert_eq!(told, [0, 999, 999]);
    }

    #[tokio::test(start_paused = true)]
    async fn reasons_do_not_hide_each_other() {
        let (seldom, overloaded) = (Seldom::default(), refusal(Reason::Overloaded));
        let rate_limited = refusal(Reason::RateLimited);
        assert_eq!(seldom.untold(Some(&overloaded)), Some(0));
        assert_eq!(seldom.untold(Some(&rate_limited)), Some(0));
        assert_eq!(seldom.untold(Some(&rate_limited)), None);
        advance(STANDS_FOR).await;
        assert_eq!(seldom.untold(Some(&overloaded)), Some(0));
        assert_eq!(seldom.untold(Some(&rate_limited)), Some(1));
    }

    #[tokio::test(start_paused = true)]
    async fn whatever_else_is_answered_is_told_every_time() {
        let seldom = Seldom::default();
        for reason in Reason::ALL {
            if !matches!(reason, Reason::Overloaded | Reason::RateLimited) {
                let status = refusal(*reason);
                let told = [(); 3].map(|()| seldom.untold(Some(&status)));
                assert_eq!(told, [Some(0); 3], "{reason:?}");
            }
        }
        // Without details: of somebody on the way.
        let strange = Status::unavailable("proxy");
        assert_eq!([(); 3].map(|()| seldom.untold(Some(&strange))), [Some(0); 3]);
        assert_eq!([(); 3].map(|()| seldom.untold(None)), [Some(0); 3]);
    }
}
