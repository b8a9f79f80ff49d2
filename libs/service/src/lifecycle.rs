//! An orderly start and stop: followers that begin again after a failure, and a stop that loses nothing acknowledged.

use std::{convert::Infallible, future::Future, time::Duration};

use countersign_core::Chain;
use countersign_eventsourcing::FollowError;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

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

    /// Runs a task that hears of the stop by [`stopping`](Self::stopping) and then finishes what it is at.
    pub fn spawn_to_its_end(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(task);
    }

    /// Waits until every task has ended.
    pub async fn finished(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// The signals that ask a process to stop: SIGTERM, and SIGINT as from the keyboard.
#[derive(Debug)]
pub struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    /// Begins to listen. From here on such a signal does not end the process any more, but waits to be received; so this
    /// comes before anybody is told that the process serves.
    ///
    /// # Errors
    /// Says that the process cannot listen for signals.
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for the first of them.
    pub async fn received(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
