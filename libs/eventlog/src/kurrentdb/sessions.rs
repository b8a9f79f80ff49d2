//! Sessions in which appends are sent.
//!
//! A session is one long call to which appends are written and from which answers come, each in a single packet: about
//! 0.3 ms where a call per append takes 44. The client crate ends a session at the first append that fails, a conflict
//! above all, and forgets what else is under way in it. So a session is used by one append at a time: whoever wants to
//! append takes an idle one or opens another, and gives it back if it still lives.
//!
//! A session that is dropped while it lives is never closed, because the client's tasks hold on to each other, and the
//! server allows about a hundred calls on a connection. So sessions are limited, and an append that nobody waits for any
//! more is still waited for here.

use std::{sync::Arc, time::Duration};

use eventstore::{
    BatchAppendClient, BatchAppendOptions, BatchWriteResult, EventData, ReadStreamOptions,
    StreamState,
};
use parking_lot::Mutex;
use tokio::{
    sync::{Semaphore, oneshot},
    time::Instant,
};

use super::{
    connection::{CallError, Connection, Link, Reporter},
    error::Failure,
    identity::LOG_STREAM,
};

/// How many appends of one client may be under way at once. The others wait.
const MAX_SESSIONS: usize = 32;

/// How long an answer may take before it is looked for elsewhere.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(2500);

/// The sessions of one client.
pub(super) struct Sessions {
    idle: Mutex<Vec<BatchAppendClient>>,
    permits: Arc<Semaphore>,
}

impl Default for Sessions {
    fn default() -> Self {
        Self { idle: Mutex::default(), permits: Arc::new(Semaphore::new(MAX_SESSIONS)) }
    }
}

impl Sessions {
    /// Forgets those that nobody uses, because their connection is gone.
    pub(super) fn clear(&self) {
        self.idle.lock().clear();
    }
}

/// Appends `events` in one session, before `deadline`.
pub(super) async fn send(
    connection: &Connection,
    stream: &str,
    state: StreamState,
    events: Vec<EventData>,
    deadline: Instant,
) -> Result<BatchWriteResult, Failure> {
    let reporter = connection.link().await.map_err(|away| Failure::Unavailable(away.0))?;
    let waiting = Arc::clone(&reporter.link().sessions.permits).acquire_owned();
    let permit = match tokio::time::timeout_at(deadline, waiting).await {
        Ok(Ok(permit)) => permit,
        Ok(Err(closed)) => return Err(Failure::Unavailable(Arc::new(closed))),
        Err(_) => {
            reporter.too_slow(ANSWER_TIMEOUT);
            return Err(Failure::Unavailable(Arc::new(Overloaded)));
        }
    };
    let limit = ANSWER_TIMEOUT.min(deadline.saturating_duration_since(Instant::now()));
    let session = take(&reporter, limit).await?;
    let (answer, answered) = oneshot::channel();
    let (link, stream) = (Arc::clone(reporter.link()), stream.to_owned());
    tokio::spawn(async move {
        let result = session.append_to_stream(stream, state, events).await;
        if result.is_ok() {
            link.sessions.idle.lock().push(session);
        }
        // Whether anybody still waits is no matter.
        drop((answer.send(result), permit));
    });
    match tokio::time::timeout(limit, answered).await {
        Ok(Ok(Ok(written))) => {
            reporter.answered();
            Ok(written)
        }
        Ok(Ok(Err(error))) => {
            reporter.failed_with(&error);
            Err(Failure::of(error))
        }
        Ok(Err(lost)) => Err(Failure::Unknown(Arc::new(lost))),
        Err(_) => Err(Failure::Unknown(Arc::new(reporter.too_slow(limit)))),
    }
}

async fn take(reporter: &Reporter, limit: Duration) -> Result<BatchAppendClient, Failure> {
    let link: &Link = reporter.link();
    if let Some(session) = link.sessions.idle.lock().pop() {
        return Ok(session);
    }
    let opening = async {
        if !reporter.answers() {
            // Opening a session says nothing about whether anybody is there. Found out now, it is sure that nothing was
            // stored; found out by the append, it is not.
            let options = ReadStreamOptions::default().max_count(1).requires_leader(true);
            let mut events = link.client.read_stream(LOG_STREAM, &options).await?;
            match events.next().await {
                Ok(_) | Err(eventstore::Error::ResourceNotFound) => {}
                Err(error) => return Err(error),
            }
        }
        let options = BatchAppendOptions::default().requires_leader(true);
        link.client.batch_append(&options).await
    };
    reporter.bounded(limit, opening).await.map_err(|error| match error {
        CallError::Client(error) => Failure::Unavailable(Arc::new(error)),
        CallError::TooSlow(slow) => Failure::Unavailable(Arc::new(slow)),
    })
}

/// So many appends are under way that this one was never sent.
#[derive(Debug, thiserror::Error)]
#[error("{MAX_SESSIONS} appends are under way and none of them was answered in time")]
struct Overloaded;
