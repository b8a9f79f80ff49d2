//! Appending, in a call of its own or in a session.

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::{Status, Streaming, metadata::MetadataMap};

use super::{
    convert::{expected, expected_in_session, name, proposed, proposed_in_session, size},
    faults::Faults,
    store::{Expected, Refused, Store, Stored, WireEvent},
    wire::{
        AllStreamPosition, Empty,
        rpc::{self, Code as RpcCode},
        streams::{
            AppendReq, AppendResp, BatchAppendReq, BatchAppendResp, append_req, append_resp,
            append_resp::wrong_expected_version as wrong, batch_append_resp,
        },
    },
};

/// Answers of a session, in the order in which they come to be.
pub(super) type SessionAnswers = UnboundedReceiverStream<Result<BatchAppendResp, Status>>;

/// One append in a call of its own: first what it expects, then each event.
pub(super) async fn append(
    store: &Store,
    faults: &Faults,
    mut request: Streaming<AppendReq>,
) -> Result<AppendResp, Status> {
    let mut options = None;
    let mut events = Vec::new();
    while let Some(part) = request.message().await? {
        match part.content {
            Some(append_req::Content::Options(given)) => options = Some(given),
            Some(append_req::Content::ProposedMessage(message)) => events.push(proposed(message)),
            None => return Err(Status::invalid_argument("an append says what it appends")),
        }
    }
    let options = options.ok_or_else(|| Status::invalid_argument("an append names a stream"))?;
    let limit = faults.largest_append();
    let too_large =
        || Status::invalid_argument(format!("Maximum Append Size of {limit} Exceeded."));
    if size(&events) > limit {
        return Err(too_large());
    }
    let stream = name(options.stream_identifier)?;
    let expected = expected(options.expected_stream_revision)?;
    let result = match store.append(&stream, expected, events).await {
        Ok(stored) => append_resp::Result::Success(success(stored)),
        Err(Refused::WrongVersion { actual }) => {
            append_resp::Result::WrongExpectedVersion(wrong_version(expected, actual))
        }
        Err(Refused::TooLarge) => return Err(too_large()),
    };
    if faults.loses_answer() {
        return std::future::pending().await;
    }
    Ok(AppendResp { result: Some(result) })
}

fn success(stored: Stored) -> append_resp::Success {
    use append_resp::success::{CurrentRevisionOption, PositionOption};
    append_resp::Success {
        current_revision_option: Some(CurrentRevisionOption::CurrentRevision(stored.revision)),
        position_option: Some(PositionOption::Position(append_resp::Position {
            commit_position: stored.position,
            prepare_position: stored.position,
        })),
    }
}

fn wrong_version(expected: Expected, actual: Option<u64>) -> append_resp::WrongExpectedVersion {
    use countersign_eventsourcing::ExpectedRevision::{Exact, NoStream};
    let current = actual.map_or(
        wrong::CurrentRevisionOption::CurrentNoStream(Empty {}),
        wrong::CurrentRevisionOption::CurrentRevision,
    );
    let expected = match expected {
        Expected::Exactly(Exact(revision)) => {
            wrong::ExpectedRevisionOption::ExpectedRevision(revision.0)
        }
        Expected::Exactly(NoStream) => wrong::ExpectedRevisionOption::ExpectedNoStream(Empty {}),
        Expected::Any => wrong::ExpectedRevisionOption::ExpectedAny(Empty {}),
        Expected::Exists => wrong::ExpectedRevisionOption::ExpectedStreamExists(Empty {}),
    };
    append_resp::WrongExpectedVersion {
        current_revision_option: Some(current),
        expected_revision_option: Some(expected),
        ..append_resp::WrongExpectedVersion::default()
    }
}

/// A session: appends to any streams, each answered by its correlation id. One that fails does not end it; one that only a
/// leader could take does.
pub(super) fn session(
    store: Store,
    faults: Faults,
    metadata: MetadataMap,
    mut requests: Streaming<BatchAppendReq>,
) -> SessionAnswers {
    let (answers, receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok(Some(request)) = requests.message().await {
            if let Err(status) = faults.admit(&metadata).await {
                // Whether anybody still listens is no matter.
                answers.send(Err(status)).ok();
                return;
            }
            let answer = append_in_session(&store, &faults, request).await;
            if faults.loses_answer() {
                return std::future::pending().await;
            }
            if answers.send(Ok(answer)).is_err() {
                return;
            }
        }
    });
    UnboundedReceiverStream::new(receiver)
}

async fn append_in_session(
    store: &Store,
    faults: &Faults,
    request: BatchAppendReq,
) -> BatchAppendResp {
    let options = request.options.unwrap_or_default();
    let stream_identifier = options.stream_identifier.clone();
    let answer = |result| BatchAppendResp {
        correlation_id: request.correlation_id,
        result: Some(result),
        stream_identifier: stream_identifier.clone(),
        expected_stream_position: None,
    };
    if faults.is_busy() {
        // The server fills in no code when it did not handle the request.
        return answer(error(RpcCode::Ok, "Server Is Busy"));
    }
    if !request.is_final {
        return answer(error(RpcCode::InvalidArgument, "the double takes whole appends only"));
    }
    let events: Vec<_> = request.proposed_messages.into_iter().map(proposed_in_session).collect();
    let expected = expected_in_session(options.expected_stream_position);
    let (Ok(stream), Some(expected)) = (name(options.stream_identifier), expected) else {
        return answer(error(RpcCode::InvalidArgument, "BadRequest"));
    };
    answer(decide(store, faults, &stream, expected, events).await)
}

async fn decide(
    store: &Store,
    faults: &Faults,
    stream: &Bytes,
    expected: Expected,
    events: Vec<WireEvent>,
) -> batch_append_resp::Result {
    use batch_append_resp::success::{CurrentRevisionOption, PositionOption};
    if size(&events) > faults.largest_append() {
        return error(RpcCode::InvalidArgument, "MaximumAppendSizeExceeded");
    }
    match store.append(stream, expected, events).await {
        Ok(Stored { revision, position }) => {
            let position =
                AllStreamPosition { commit_position: position, prepare_position: position };
            batch_append_resp::Result::Success(batch_append_resp::Success {
                current_revision_option: Some(CurrentRevisionOption::CurrentRevision(revision)),
                position_option: Some(PositionOption::Position(position)),
            })
        }
        Err(Refused::WrongVersion { .. }) => error(RpcCode::AlreadyExists, "WrongExpectedVersion"),
        Err(Refused::TooLarge) => error(RpcCode::InvalidArgument, "MaximumAppendSizeExceeded"),
    }
}

fn error(code: RpcCode, message: &str) -> batch_append_resp::Result {
    let message = message.to_owned();
    batch_append_resp::Result::Error(rpc::Status { code: code.into(), message, details: None })
}
