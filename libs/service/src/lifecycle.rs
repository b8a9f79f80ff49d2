//! An orderly start and stop: followers that begin again after a failure, and a stop that loses nothing acknowledged.

use std::{convert::Infallible, future::Future, time::Duration};

use countersign_eventsourcing::FollowError;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::Chain;

/// How long a follower waits before it begins again.
const FOLLOWER_PAUSE: Duration = Duration::from_secs(1);

/// The tasks of a process, and the signal that stops them.
#[derive(Clone, Debug, Default)]
pub struct Lifecycle {
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Lifecycle {
    /// Begins with no tasks.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the token that is cancelled when the process is to stop.
    #[must_use]
    pub fn stopping(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Tells every task to stop.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Runs `task` until it ends or the process is to stop.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = task => {}
            }
        });
    }

    /// Runs a follower for ever: whenever it fails, says so, waits a little and begins again at its checkpoint.
    pub fn spawn_follower<F, Fut>(&self, follow: F)
    where
        F: Fn() -> Fut + Send + 'static,
        Fut: Future<Output = Result<Infallible, FollowError>> + Send,
    {
        self.spawn(async move {
            loop {
                let Err(error) = follow().await;
                tracing::warn!(error = %Chain(&error), "follower stopped; it will begin again");
                tokio::time::sleep(FOLLOWER_PAUSE).await;
            }
        });
    }

    /// Waits until every task has ended.
    pub async fn finished(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// Waits for the signal to stop: SIGTERM, or SIGINT as from the keyboard.
///
/// # Errors
/// Says that the process cannot listen for signals.
pub async fn stop_signal() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
