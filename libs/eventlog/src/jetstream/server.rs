//! What is asked of JetStream, each with a time by which it must have answered.

use std::{sync::Arc, time::Duration};

use async_nats::{
    HeaderMap, Request, StatusCode, Subject,
    client::RequestErrorKind,
    header,
    jetstream::{
        ErrorCode, context::RequestErrorKind as ApiErrorKind, publish::PublishAck,
        response::Response, stream::RawMessage,
    },
};
use bytes::Bytes;
use countersign_eventsourcing::{ReadError, Source};
use countersign_nats::{Nats, NatsAway};
use data_encoding::BASE64;
use futures_util::StreamExt as _;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout_at};

use super::subject::Names;

/// How long a caller waits for the connection before it is told that the log is unavailable.
const CONNECTION_PATIENCE: Duration = Duration::from_secs(1);

/// How many messages are asked for at once; the answer ends earlier at [`BATCH_BYTES`].
const BATCH: usize = 256;
const BATCH_BYTES: usize = 1024 * 1024;

/// Why the server gave no usable answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum ServerError {
    #[error(transparent)]
    Away(#[from] NatsAway),
    #[error("JetStream did not answer in time")]
    Unanswered,
    #[error("JetStream has no leader for it")]
    NoLeader,
    #[error("JetStream refused: {0}")]
    Refused(String),
    #[error("JetStream's answer cannot be read: {0}")]
    Unreadable(String),
}

impl ServerError {
    pub(super) fn source(self) -> Source {
        Arc::new(self)
    }
}

impl From<ServerError> for ReadError {
    fn from(error: ServerError) -> Self {
        Self::Unavailable(error.source())
    }
}

/// What became of a message that was sent.
#[derive(Debug)]
pub(super) enum Published {
    /// It is stored, as this sequence.
    Stored(u64),
    /// It is not stored: the subject's last message is another than was expected.
    Conflict,
    /// It is not stored: another message with the subject is on its way, and may come to nothing.
    Busy,
    /// It is not stored.
    Refused(ServerError),
    /// It may be stored.
    Unknown(ServerError),
}

/// A message as it is stored.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) sequence: u64,
    pub(super) subject: String,
    pub(super) body: Bytes,
}

#[derive(Serialize)]
struct LastRequest<'a> {
    last_by_subj: &'a str,
}

#[derive(Serialize)]
struct NextRequest<'a> {
    seq: u64,
    next_by_subj: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    batch: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_bytes: Option<usize>,
}

#[derive(Deserialize)]
struct Found {
    message: RawMessage,
}

/// The stream that holds the log, and the way to it.
#[derive(Clone, Debug)]
pub(super) struct Server {
    pub(super) nats: Nats,
    pub(super) names: Names,
}

impl Server {
    /// Waits for the connection a little. Nothing is sent without one: it would be sent when nobody waits any more.
    pub(super) async fn ready(&self, deadline: Instant) -> Result<(), ServerError> {
        let left = deadline.saturating_duration_since(Instant::now());
        Ok(self.nats.ready(left.min(CONNECTION_PATIENCE)).await?)
    }

    /// Asks the stream's leader for the last message with `subject`, `>` being any. Other servers may not have it yet.
    pub(super) async fn last(
        &self,
        subject: &str,
        deadline: Instant,
    ) -> Result<Option<Stored>, ServerError> {
        self.get(&LastRequest { last_by_subj: subject }, deadline).await
    }

    /// Asks the stream's leader for the first message with `subject` that is number `sequence` or later.
    pub(super) async fn next(
        &self,
        subject: &str,
        sequence: u64,
        deadline: Instant,
    ) -> Result<Option<Stored>, ServerError> {
        let request =
            NextRequest { seq: sequence, next_by_subj: subject, batch: None, max_bytes: None };
        self.get(&request, deadline).await
    }

    async fn get<T: Serialize + Sync>(
        &self,
        request: &T,
        deadline: Instant,
    ) -> Result<Option<Stored>, ServerError> {
        let subject = format!("STREAM.MSG.GET.{}", self.names.stream());
        let asked = self.nats.jetstream().request::<_, _, Response<Found>>(subject, request);
        let answer = timeout_at(deadline, asked).await.map_err(|_| ServerError::Unanswered)?;
        let found = match answer {
            Ok(Response::Ok(found)) => found.message,
            Ok(Response::Err { error }) if error.error_code() == ErrorCode::NO_MESSAGE_FOUND => {
                return Ok(None);
            }
            Ok(Response::Err { error }) => return Err(ServerError::Refused(error.to_string())),
            Err(error) => {
                return Err(match error.kind() {
                    ApiErrorKind::NoResponders => ServerError::NoLeader,
                    ApiErrorKind::TimedOut => ServerError::Unanswered,
                    ApiErrorKind::InvalidSubject | ApiErrorKind::Other => {
                        ServerError::Unreadable(error.to_string())
                    }
                });
            }
        };
        // Its headers are not looked at: they may be anybody's.
        let body = BASE64.decode(found.payload.as_bytes());
        let body = body.map_err(|error| ServerError::Unreadable(error.to_string()))?;
        Ok(Some(Stored { sequence: found.sequence, subject: found.subject, body: body.into() }))
    }

    /// Asks any server of the stream for messages with `subject` from number `sequence` on. Fewer may come than there are.
    pub(super) async fn batch(
        &self,
        subject: &str,
        sequence: u64,
        deadline: Instant,
    ) -> Result<Vec<Stored>, ServerError> {
        let request = NextRequest {
            seq: sequence,
            next_by_subj: subject,
            batch: Some(BATCH),
            max_bytes: Some(BATCH_BYTES),
        };
        let request = serde_json::to_vec(&request).unwrap_or_default();
        let client = self.nats.client();
        let inbox = client.new_inbox();
        let failed = |error: &dyn std::error::Error| ServerError::Unreadable(error.to_string());
        let asked = async {
            let answers = client.subscribe(inbox.clone()).await.map_err(|e| failed(&e))?;
            let request = Request::new().inbox(inbox).payload(request.into());
            let subject = format!("DIRECT.GET.{}", self.names.stream());
            let sent = self.nats.jetstream().send_request(subject, request).await;
            sent.map_err(|e| failed(&e))?;
            Ok::<_, ServerError>(answers)
        };
        let mut answers =
            timeout_at(deadline, asked).await.map_err(|_| ServerError::Unanswered)??;
        let mut batch = Vec::new();
        loop {
            let answer = timeout_at(deadline, answers.next()).await;
            let answer = answer.ok().flatten().ok_or(ServerError::Unanswered)?;
            match (answer.status, answer.headers) {
                (None, Some(headers)) => {
                    // Who stored it may have given it such headers too; the server's come last.
                    let last = |name| headers.get_last(name).map(header::HeaderValue::as_str);
                    let sequence = last(header::NATS_SEQUENCE).and_then(|text| text.parse().ok());
                    let subject = last(header::NATS_SUBJECT).map(str::to_owned);
                    let (Some(sequence), Some(subject)) = (sequence, subject) else {
                        return Err(ServerError::Unreadable("a message without a place".into()));
                    };
                    batch.push(Stored { sequence, subject, body: answer.payload });
                }
                // 204 ends a batch, and 404 says that there is nothing to begin one with.
                (Some(status), _) if status.is_success() || status == StatusCode::NOT_FOUND => {
                    return Ok(batch);
                }
                (Some(StatusCode::NO_RESPONDERS), _) => return Err(ServerError::NoLeader),
                (status, _) => return Err(ServerError::Refused(format!("status {status:?}"))),
            }
        }
    }

    /// Sends a message that is to be stored if number `last` is its subject's last, 0 being none.
    pub(super) async fn publish(
        &self,
        subject: &str,
        body: &Bytes,
        mut headers: HeaderMap,
        last: u64,
        deadline: Instant,
    ) -> Published {
        headers.insert(header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, last.to_string());
        let left = deadline.saturating_duration_since(Instant::now());
        let request = Request::new()
            .headers(headers)
            .payload(body.clone())
            .timeout(Some(left.min(countersign_nats::REQUEST_TIMEOUT)));
        let asked = self.nats.client().send_request(Subject::from(subject), request);
        let answer = match timeout_at(deadline, asked).await {
            Ok(Ok(answer)) => answer,
            Err(_) => return Published::Unknown(ServerError::Unanswered),
            Ok(Err(error)) => {
                let text = error.to_string();
                return match error.kind() {
                    RequestErrorKind::NoResponders => Published::Refused(ServerError::NoLeader),
                    RequestErrorKind::InvalidSubject | RequestErrorKind::MaxPayloadExceeded => {
                        Published::Refused(ServerError::Refused(text))
                    }
                    RequestErrorKind::TimedOut => Published::Unknown(ServerError::Unanswered),
                    RequestErrorKind::Other => Published::Unknown(ServerError::Unreadable(text)),
                };
            }
        };
        match serde_json::from_slice::<Response<PublishAck>>(&answer.payload) {
            Ok(Response::Ok(ack)) if ack.stream == self.names.stream() && ack.sequence > 0 => {
                Published::Stored(ack.sequence)
            }
            Ok(Response::Ok(ack)) => Published::Unknown(ServerError::Unreadable(format!(
                "{} acknowledged it instead of {}",
                ack.stream,
                self.names.stream()
            ))),
            Ok(Response::Err { error }) => refusal(&error),
            Err(error) => Published::Unknown(ServerError::Unreadable(error.to_string())),
        }
    }
}

/// Tells what certainly was not stored from what may have been. Only what the server checks before it hands a message to
/// the store or to its followers is certain.
fn refusal(error: &async_nats::jetstream::Error) -> Published {
    let refused = ServerError::Refused(error.to_string());
    match error.error_code() {
        ErrorCode::STREAM_WRONG_LAST_SEQUENCE => Published::Conflict,
        // Three servers say so as long as another append to the stream is on its way between them.
        ErrorCode::STREAM_WRONG_LAST_SEQUENCE_CONSTANT
        | ErrorCode::STREAM_EXPECTED_LAST_SEQ_PER_SUBJECT_NOT_READY => Published::Busy,
        ErrorCode::STREAM_TOO_MANY_REQUESTS
        | ErrorCode::STREAM_NOT_FOUND
        | ErrorCode::STREAM_OFFLINE
        | ErrorCode::STREAM_SEALED
        | ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM
        | ErrorCode::CLUSTER_NOT_AVAILABLE
        | ErrorCode::CLUSTER_NOT_LEADER
        | ErrorCode::ACCOUNT_RESOURCES_EXCEEDED
        | ErrorCode::INSUFFICIENT_RESOURCES
        | ErrorCode::JETSTREAM_NOT_ENABLED
        | ErrorCode::JETSTREAM_NOT_ENABLED_FOR_ACCOUNT => Published::Refused(refused),
        _ => Published::Unknown(refused),
    }
}
