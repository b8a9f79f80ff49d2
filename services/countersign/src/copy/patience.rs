//! Waiting for a log that is away: a little at first, then longer, and not for ever.

use std::time::Duration;

use countersign_eventsourcing::{ReadError, Source};
use tokio::time::{Instant, sleep};

use super::{CopyError, Side};

/// How long is waited at first, and at most.
const PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What is left of somebody's patience.
#[derive(Debug)]
pub(super) struct Patience {
    within: Duration,
    /// Since when it is away, and how long is waited next.
    away: Option<(Instant, Duration)>,
}

impl Patience {
    /// Waits at most for `within`, counted from the first failure in a row.
    pub(super) const fn new(within: Duration) -> Self {
        Self { within, away: None }
    }

    /// Notes that it answers.
    pub(super) const fn answered(&mut self) {
        self.away = None;
    }

    /// Waits a little if `error` may pass; fails if it will not, or has lasted too long.
    pub(super) async fn bear(&mut self, side: Side, error: ReadError) -> Result<(), CopyError> {
        match error {
            ReadError::Unavailable(source) => self.pause(side, source).await,
            ReadError::Corrupt(corruption) => Err(CopyError::Corrupt { side, corruption }),
        }
    }

    /// Waits a little; fails if it has been away for too long.
    pub(super) async fn pause(&mut self, side: Side, source: Source) -> Result<(), CopyError> {
        let (since, pause) = self.away.unwrap_or_else(|| (Instant::now(), PAUSE));
        if since.elapsed() + pause > self.within {
            return Err(CopyError::Away { side, source });
        }
        self.away = Some((since, (pause * 2).min(LONGEST_PAUSE)));
        sleep(pause).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_ends_and_begins_anew_after_an_answer() {
        let mut patience = Patience::new(Duration::from_secs(60));
        for _ in 0..2 {
            let began = Instant::now();
            let mut pauses = 0;
            while patience.pause(Side::Log, Arc::new(std::fmt::Error)).await.is_ok() {
                pauses += 1;
            }
            let waited = began.elapsed();
            assert!(waited > Duration::from_secs(50) && waited <= Duration::from_secs(60));
            assert!((10..40).contains(&pauses), "{pauses}");
            patience.answered();
        }
    }
}
