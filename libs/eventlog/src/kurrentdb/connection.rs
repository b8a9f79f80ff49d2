//! The client, and when it is replaced.
//!
//! The client crate keeps to the node that it found first: an error only makes it look for another if the node itself says
//! who leads. And if connecting fails, its inner task ends, and every later call with it. So one that failed to connect is
//! dropped at once, and one of which calls fail is dropped when it is some seconds old.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use countersign_eventsourcing::Source;
use eventstore::{Client, ClientSettings};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::{error::TooSlow, sessions::Sessions};

/// How long one answer to a read may take.
pub(super) const READ_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a client that never connected is mourned before the next is made: making one reads every certificate of the
/// system.
const PAUSE: Duration = Duration::from_millis(100);

/// How old a client of which calls fail is at least when it is replaced. What it leaves behind ends only with the process:
/// its task, and an idle connection until the server closes it.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why there is no client for now, or none that answers.
#[derive(Clone, Debug)]
pub(super) struct Away(pub(super) Source);

/// A client and the sessions on it.
pub(super) struct Link {
    pub(super) client: Client,
    pub(super) sessions: Sessions,
    made_at: Instant,
    /// Whether the node has answered since something last went wrong.
    answers: AtomicBool,
}

#[derive(Default)]
struct State {
    link: Option<Arc<Link>>,
    last_failure: Option<(Instant, Source)>,
}

/// The way to the server.
pub(super) struct Connection {
    settings: ClientSettings,
    state: Arc<Mutex<State>>,
    /// Held while a client is made, so that one is made and not many.
    making: tokio::sync::Mutex<()>,
}

/// What an error says about the client.
#[derive(Clone, Copy, Debug)]
enum Verdict {
    /// Its inner task has ended.
    Dead,
    /// The node is not well. The client would stay with it.
    Ails,
    /// It goes to the node that leads, which it was told.
    Moves,
}

/// Reports to the connection what became of calls on one of its clients.
#[derive(Clone)]
pub(super) struct Reporter {
    link: Arc<Link>,
    state: Arc<Mutex<State>>,
}

impl Connection {
    pub(super) fn new(settings: ClientSettings) -> Self {
        Self { settings, state: Arc::default(), making: tokio::sync::Mutex::default() }
    }

    /// Returns the client in use, or makes one.
    pub(super) async fn link(&self) -> Result<Reporter, Away> {
        if let Some(reporter) = self.current()? {
            return Ok(reporter);
        }
        let _making = self.making.lock().await;
        if let Some(reporter) = self.current()? {
            return Ok(reporter);
        }
        let (settings, runtime) = (self.settings.clone(), tokio::runtime::Handle::current());
        // It reads files.
        let making = tokio::task::spawn_blocking(move || {
            Client::with_runtime_handle(runtime, settings)
                .map_err(|report| Failed(report.to_string()))
        });
        let made = match making.await {
            Ok(made) => made.map_err(|failed| Arc::new(failed) as Source),
            Err(error) => Err(Arc::new(error) as Source),
        };
        let mut state = self.state.lock();
        let client = made.map_err(|source| {
            state.last_failure = Some((Instant::now(), Arc::clone(&source)));
            Away(source)
        })?;
        let link = Arc::new(Link {
            client,
            sessions: Sessions::default(),
            made_at: Instant::now(),
            answers: AtomicBool::new(false),
        });
        state.link = Some(Arc::clone(&link));
        Ok(Reporter { link, state: Arc::clone(&self.state) })
    }

    fn current(&self) -> Result<Option<Reporter>, Away> {
        let state = self.state.lock();
        if let Some(link) = &state.link {
            let (link, state) = (Arc::clone(link), Arc::clone(&self.state));
            return Ok(Some(Reporter { link, state }));
        }
        match &state.last_failure {
            Some((at, source)) if at.elapsed() < PAUSE => Err(Away(Arc::clone(source))),
            Some(_) | None => Ok(None),
        }
    }
}

impl Reporter {
    pub(super) fn link(&self) -> &Arc<Link> {
        &self.link
    }

    /// Returns whether the node has answered since something last went wrong.
    pub(super) fn answers(&self) -> bool {
        self.link.answers.load(Ordering::Relaxed)
    }

    /// The node answers.
    pub(super) fn answered(&self) {
        if !self.link.answers.swap(true, Ordering::Relaxed) {
            self.state.lock().last_failure = None;
        }
    }

    /// A call came to nothing, and not because of what it asked for.
    fn failed(&self, source: &Source, verdict: Verdict) {
        self.link.answers.store(false, Ordering::Relaxed);
        self.link.sessions.clear();
        match verdict {
            Verdict::Moves => return,
            Verdict::Ails if self.link.made_at.elapsed() < PATIENCE => return,
            Verdict::Ails | Verdict::Dead => {}
        }
        let mut state = self.state.lock();
        if state.link.as_ref().is_some_and(|current| Arc::ptr_eq(current, &self.link)) {
            tracing::warn!(error = %source, "connection to KurrentDB given up");
            state.link = None;
            state.last_failure = Some((Instant::now(), Arc::clone(source)));
        }
    }

    /// A call ended with `error`.
    pub(super) fn failed_with(&self, error: &eventstore::Error) {
        use eventstore::Error as E;
        let verdict = match error {
            E::ConnectionClosed | E::GrpcConnectionError(_) => Verdict::Dead,
            E::NotLeaderException(_) => Verdict::Moves,
            E::ServerError(_)
            | E::DeadlineExceeded
            | E::InternalClientError
            | E::IllegalStateError(_)
            | E::ResourceNotFound => Verdict::Ails,
            // The node is well, and has said no.
            E::Grpc { .. }
            | E::InternalParsingError(_)
            | E::AccessDenied
            | E::ResourceAlreadyExists
            | E::ResourceDeleted
            | E::UnsupportedFeature
            | E::InitializationError(_)
            | E::WrongExpectedVersion { .. } => return,
        };
        self.failed(&(Arc::new(error.clone()) as Source), verdict);
    }

    /// Waits for one answer, but not for ever.
    pub(super) async fn bounded<T>(
        &self,
        limit: Duration,
        call: impl Future<Output = eventstore::Result<T>>,
    ) -> Result<T, CallError> {
        match tokio::time::timeout(limit, call).await {
            Ok(Ok(answer)) => {
                self.answered();
                Ok(answer)
            }
            Ok(Err(error)) => {
                self.failed_with(&error);
                Err(CallError::Client(error))
            }
            Err(_) => Err(CallError::TooSlow(self.too_slow(limit))),
        }
    }

    /// An answer did not come within `limit`.
    pub(super) fn too_slow(&self, limit: Duration) -> TooSlow {
        let slow = TooSlow(limit);
        self.failed(&(Arc::new(slow) as Source), Verdict::Ails);
        slow
    }
}

/// Why a call came to nothing.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum CallError {
    #[error(transparent)]
    Client(eventstore::Error),
    #[error(transparent)]
    TooSlow(TooSlow),
}

/// A client could not be made.
#[derive(Debug, thiserror::Error)]
#[error("the client cannot be set up: {0}")]
struct Failed(String);
