//! Which log it is: the id of the first event of a stream that is not among the log's, by its name. Positions and
//! checkpoints belong to a log, so a server that was set up anew must not pass for the one before.

use std::sync::Arc;

use countersign_eventsourcing::{LogId, ReadError};
use eventstore::{EventData, ReadStreamOptions, StreamPosition, StreamState};
use serde::Serialize;
use tokio::time::Instant;

use super::{
    OpenError,
    connection::{Connection, READ_TIMEOUT},
    error::Failure,
    read::Reading,
    sessions,
};

/// The stream that names the log. It has no dot, so it is never taken for a stream of events, and no dollar sign, so it
/// needs no more rights than they do.
pub(super) const LOG_STREAM: &str = "countersign-log";

/// What its first event is called.
const NAMED: &str = "countersign.log.Named";

/// How often it is tried to name a log that others may be naming at the same moment.
const ATTEMPTS: u32 = 3;

#[derive(Serialize)]
struct Named {
    log: uuid::Uuid,
}

pub(super) async fn find_or_make(connection: &Connection) -> Result<LogId, OpenError> {
    check_version(connection).await?;
    let mut last = None;
    for _ in 0..ATTEMPTS {
        if let Some(id) = find(connection).await? {
            return Ok(id);
        }
        let LogId(id) = crate::new_log_id();
        let event = EventData::json(NAMED, &Named { log: id })
            .map_err(|error| OpenError::Unavailable(Arc::new(error)))?
            .id(id);
        let deadline = Instant::now() + READ_TIMEOUT;
        let named =
            sessions::send(connection, LOG_STREAM, StreamState::NoStream, vec![event], deadline);
        match named.await {
            // Read back what it is called, whoever called it so.
            Ok(_) | Err(Failure::Conflict) => {}
            Err(Failure::Deleted | Failure::TooLarge) => {
                let what = "it was deleted".to_owned();
                return Err(OpenError::Foreign { stream: LOG_STREAM, what });
            }
            Err(Failure::Unavailable(source) | Failure::Unknown(source)) => last = Some(source),
        }
    }
    match find(connection).await? {
        Some(id) => Ok(id),
        None => Err(last.map_or_else(
            || OpenError::Foreign { stream: LOG_STREAM, what: "it stays empty".to_owned() },
            OpenError::Unavailable,
        )),
    }
}

async fn check_version(connection: &Connection) -> Result<(), OpenError> {
    let reporter = connection.link().await.map_err(|away| OpenError::Unavailable(away.0))?;
    let asking = reporter.link().client.server_info();
    let info = reporter.bounded(READ_TIMEOUT, asking).await;
    let version = info.map_err(|error| OpenError::Unavailable(Arc::new(error)))?.version();
    if (version.major(), version.minor()) < (23, 10) {
        return Err(OpenError::TooOld { version: version.to_string() });
    }
    Ok(())
}

async fn find(connection: &Connection) -> Result<Option<LogId>, OpenError> {
    let options = ReadStreamOptions::default().position(StreamPosition::Start).max_count(1);
    let first = async { Reading::stream(connection, LOG_STREAM, options).await?.next().await };
    match first.await {
        Ok(None) => Ok(None),
        Ok(Some(event)) if event.event_type == NAMED => Ok(Some(LogId(event.id))),
        Ok(Some(event)) => {
            let what = format!("its first event is a {}, not a {NAMED}", event.event_type);
            Err(OpenError::Foreign { stream: LOG_STREAM, what })
        }
        Err(ReadError::Unavailable(source)) => Err(OpenError::Unavailable(source)),
        Err(ReadError::Corrupt(corruption)) => {
            Err(OpenError::Foreign { stream: LOG_STREAM, what: corruption.what })
        }
    }
}
