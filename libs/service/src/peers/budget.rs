//! How long a forwarded call may take, and what its peer is told of it.

use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use tokio::time::Instant;

use crate::deadline::{HEAD_START, requested};

/// How much earlier than the deadline layer a forwarded call is given up, so that the caller learns of an outage rather
/// than of a deadline. A tenth of short times. A peer that is merely slow answers by its own deadline layer before that.
const MARGIN: Duration = Duration::from_millis(100);

/// The time of one call, all its tries together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    give_up_at: Instant,
}

impl Budget {
    /// Begins now: what the caller asks for, or `limit` if that is less.
    pub(super) fn of(headers: &HeaderMap, limit: Duration) -> Self {
        let asked = requested(headers).map(|asked| asked.saturating_sub(HEAD_START));
        let whole = asked.map_or(limit, |asked| asked.min(limit));
        Self { give_up_at: Instant::now() + whole.saturating_sub(MARGIN.min(whole / 10)) }
    }

    /// Returns when the call is given up.
    pub(super) const fn give_up_at(self) -> Instant {
        self.give_up_at
    }

    /// Returns how long that is from now.
    pub(super) fn left(self) -> Duration {
        self.give_up_at.saturating_duration_since(Instant::now())
    }

    /// Returns what a peer is told in `grpc-timeout`: what is left, at most eight digits.
    pub(super) fn told(self) -> HeaderValue {
        let micros = self.left().as_micros().max(1);
        let text = if micros < 100_000_000 {
            format!("{micros}u")
        } else {
            format!("{}m", (micros / 1_000).min(99_999_999))
        };
        HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("1u"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(asked: Option<&'static str>, limit: u64) -> Budget {
        let mut headers = HeaderMap::new();
        if let Some(asked) = asked {
            headers.insert("grpc-timeout", HeaderValue::from_static(asked));
        }
        Budget::of(&headers, Duration::from_secs(limit))
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_what_the_caller_asks_for_and_never_more_than_the_servers_limit() {
        assert_eq!(budget(Some("1S"), 10).left(), Duration::from_millis(891));
        assert_eq!(budget(Some("1H"), 10).left(), Duration::from_millis(9_900));
        assert_eq!(budget(None, 10).left(), Duration::from_millis(9_900));
        assert_eq!(budget(Some("soon"), 10).left(), Duration::from_millis(9_900));
        assert_eq!(budget(Some("30m"), 10).left(), Duration::from_millis(18));
        assert_eq!(budget(Some("0m"), 10).left(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_is_told_what_is_left() {
        let budget = budget(Some("1S"), 10);
        tokio::time::advance(Duration::from_millis(300)).await;
        assert_eq!(budget.told(), "591000u");
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(budget.told(), "1u");
        assert_eq!(self::budget(None, 300).told(), "299900m");
    }
}
