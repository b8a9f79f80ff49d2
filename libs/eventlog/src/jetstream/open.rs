//! Making and opening the JetStream stream that holds the log.

use std::collections::HashMap;

use async_nats::jetstream::{
    ErrorCode,
    context::{CreateStreamErrorKind, GetStreamErrorKind},
    stream::{Config, DiscardPolicy, Info, RetentionPolicy, StorageType},
};
use countersign_eventsourcing::LogId;
use countersign_nats::{Nats, NatsAway};
use tokio::time::{Duration, timeout};

use super::{Log, known::KnownStreams, server::Server, subject::Names};
use crate::new_log_id;

/// Where the stream's metadata names the log.
const ID: &str = "countersign-log-id";

/// How long opening waits for NATS.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why the log cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// NATS or JetStream does not answer. Try again later.
    #[error("the log on JetStream cannot be reached")]
    Unavailable(#[source] NatsAway),
    /// The stream was never made.
    #[error("there is no JetStream stream named {stream}: run `countersign init` to make it")]
    Missing {
        /// Its name.
        stream: String,
    },
    /// A stream has the name, but it is not a log.
    #[error("the JetStream stream {stream} is not a log: {what}")]
    Foreign {
        /// Its name.
        stream: String,
        /// What is wrong.
        what: String,
    },
    /// The server does not make the stream.
    #[error("JetStream does not make the stream {stream}: {what}")]
    Refused {
        /// Its name.
        stream: String,
        /// What it says.
        what: String,
    },
}

/// Opens the log, making it if need be.
pub(super) async fn create(nats: Nats) -> Result<Log, OpenError> {
    match open(nats.clone()).await {
        Err(OpenError::Missing { stream }) => {
            make(&nats, stream).await?;
            open(nats).await
        }
        opened => opened,
    }
}

async fn make(nats: &Nats, stream: String) -> Result<(), OpenError> {
    let names = Names::new(nats.prefix());
    let config = Config {
        name: stream.clone(),
        description: Some(
            "Countersign's event log: nothing in it is ever changed or removed".into(),
        ),
        subjects: vec![names.pattern()],
        retention: RetentionPolicy::Limits,
        discard: DiscardPolicy::New,
        max_messages: -1,
        max_bytes: -1,
        max_messages_per_subject: -1,
        max_message_size: -1,
        max_consumers: -1,
        storage: StorageType::File,
        num_replicas: nats.replicas(),
        deny_delete: true,
        deny_purge: true,
        allow_direct: true,
        metadata: HashMap::from([(ID.to_owned(), new_log_id().0.to_string())]),
        ..Config::default()
    };
    match nats.jetstream().create_stream(config).await {
        Ok(_) => Ok(()),
        Err(error) => match error.kind() {
            // Another replica was faster.
            CreateStreamErrorKind::JetStream(error)
                if error.error_code() == ErrorCode::STREAM_NAME_EXIST =>
            {
                Ok(())
            }
            CreateStreamErrorKind::TimedOut | CreateStreamErrorKind::JetStreamUnavailable => {
                Err(OpenError::Unavailable(NatsAway::new(error)))
            }
            CreateStreamErrorKind::EmptyStreamName
            | CreateStreamErrorKind::InvalidStreamName
            | CreateStreamErrorKind::DomainAndExternalSet
            | CreateStreamErrorKind::JetStream(_)
            | CreateStreamErrorKind::Response
            | CreateStreamErrorKind::NotFound
            | CreateStreamErrorKind::ResponseParse => {
                Err(OpenError::Refused { stream, what: error.to_string() })
            }
        },
    }
}

/// Opens the log.
pub(super) async fn open(nats: Nats) -> Result<Log, OpenError> {
    nats.ready(PATIENCE).await.map_err(OpenError::Unavailable)?;
    let names = Names::new(nats.prefix());
    let stream = names.stream().to_owned();
    let asked = timeout(PATIENCE, nats.jetstream().get_stream(&stream)).await;
    let asked = asked.map_err(|error| OpenError::Unavailable(NatsAway::new(error)))?;
    let found = asked.map_err(|error| match error.kind() {
        GetStreamErrorKind::JetStream(error)
            if error.error_code() == ErrorCode::STREAM_NOT_FOUND =>
        {
            OpenError::Missing { stream: stream.clone() }
        }
        GetStreamErrorKind::EmptyName
        | GetStreamErrorKind::Request
        | GetStreamErrorKind::InvalidStreamName
        | GetStreamErrorKind::JetStream(_) => OpenError::Unavailable(NatsAway::new(error)),
    })?;
    let info = found.cached_info();
    let id = check(&names, info).map_err(|what| OpenError::Foreign { stream, what })?;
    let max_message_bytes = usize::try_from(info.config.max_message_size).unwrap_or(usize::MAX);
    let max_message_bytes = if max_message_bytes == 0 { usize::MAX } else { max_message_bytes };
    let server = Server { nats, names };
    Ok(Log { id, server, known: KnownStreams::default(), max_message_bytes })
}

/// Checks that a stream is a log, and one that loses nothing by itself.
fn check(names: &Names, info: &Info) -> Result<LogId, String> {
    let config = &info.config;
    let id = config.metadata.get(ID).and_then(|text| text.parse().ok());
    let id = id.ok_or_else(|| format!("its metadata has no {ID}"))?;
    if config.subjects != [names.pattern()] {
        return Err(format!("its subjects should be {}", names.pattern()));
    }
    if !config.deny_delete || !config.deny_purge {
        return Err("it should deny deleting and purging messages".to_owned());
    }
    if config.retention != RetentionPolicy::Limits
        || config.discard != DiscardPolicy::New
        || !config.max_age.is_zero()
        || config.max_messages_per_subject > 0
    {
        return Err("it removes messages by itself".to_owned());
    }
    Ok(LogId(id))
}
