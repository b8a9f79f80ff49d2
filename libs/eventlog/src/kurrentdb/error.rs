//! What the client's errors mean: above all, whether an append may have been stored in spite of them.

use std::{error::Error, sync::Arc, time::Duration};

use countersign_eventsourcing::{Corruption, ReadError, Source};

/// Why a log on KurrentDB cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The connection string is not one.
    #[error(
        "the connection string is not of the form `kurrentdb://user:password@host:2113?tls=true`"
    )]
    Settings,
    /// The server cannot be reached, or does not let us in. Trying again later may help.
    #[error("KurrentDB is unavailable")]
    Unavailable(#[source] Source),
    /// The server lacks what is needed.
    #[error("the server is version {version}, and 23.10 is needed at least")]
    TooOld {
        /// Its version, 0.0.0 if it does not say.
        version: String,
    },
    /// Something else stands where the log is named.
    #[error("stream {stream} does not name a log: {what}")]
    Foreign {
        /// The stream.
        stream: &'static str,
        /// What is wrong with it.
        what: String,
    },
}

/// The node did not answer in time.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("KurrentDB did not answer within {} ms", .0.as_millis())]
pub(super) struct TooSlow(pub(super) Duration);

/// Why an append was not answered with success.
#[derive(Debug)]
pub(super) enum Failure {
    /// The stream is elsewhere, or the append is a repeat that the server has forgotten.
    Conflict,
    /// The server takes less at once.
    TooLarge,
    /// The stream was deleted.
    Deleted,
    /// Surely not stored.
    Unavailable(Source),
    /// Sent, and perhaps stored.
    Unknown(Source),
}

/// What a server says when it has no leader or is starting or overloaded, and hence stores nothing; and what the HTTP
/// client says when there was no connection to send anything over. The client crate keeps only the text.
const NOT_TAKEN: [&str; 5] = [
    "Server Is Not Ready",
    "Server Is Too Busy",
    "Server Is Busy",
    "No leader info available",
    "client error (Connect)",
];

/// Codes of gRPC, by number: the type is of a version that only the client crate depends on.
mod code {
    pub(super) const OK: i32 = 0;
    pub(super) const INVALID_ARGUMENT: i32 = 3;
    pub(super) const NOT_FOUND: i32 = 5;
    pub(super) const ALREADY_EXISTS: i32 = 6;
    pub(super) const PERMISSION_DENIED: i32 = 7;
}

impl Failure {
    /// Says what the error of an append means.
    pub(super) fn of(error: eventstore::Error) -> Self {
        use eventstore::Error as E;
        match &error {
            E::Grpc { code, message } => match (i32::from(*code), message.as_str()) {
                (code::ALREADY_EXISTS, _) => Self::Conflict,
                (code::NOT_FOUND, _) => Self::Deleted,
                (
                    code::INVALID_ARGUMENT,
                    "MaximumAppendSizeExceeded" | "MaximumAppendEventSizeExceeded",
                ) => Self::TooLarge,
                // Without a code the server says that it did not handle the request.
                (code::OK | code::INVALID_ARGUMENT | code::PERMISSION_DENIED, _) => {
                    Self::Unavailable(Arc::new(error))
                }
                _ => Self::Unknown(Arc::new(error)),
            },
            E::WrongExpectedVersion { .. } => Self::Conflict,
            E::ResourceDeleted => Self::Deleted,
            E::NotLeaderException(_)
            | E::ConnectionClosed
            | E::GrpcConnectionError(_)
            | E::AccessDenied
            | E::UnsupportedFeature
            | E::InitializationError(_) => Self::Unavailable(Arc::new(error)),
            E::ServerError(text) if NOT_TAKEN.iter().any(|words| text.contains(words)) => {
                Self::Unavailable(Arc::new(error))
            }
            E::ServerError(_)
            | E::InternalParsingError(_)
            | E::ResourceAlreadyExists
            | E::ResourceNotFound
            | E::InternalClientError
            | E::DeadlineExceeded
            | E::IllegalStateError(_) => Self::Unknown(Arc::new(error)),
        }
    }
}

/// A read that did not go on.
pub(super) fn unavailable(error: impl Error + Send + Sync + 'static) -> ReadError {
    ReadError::Unavailable(Arc::new(error))
}

pub(super) fn corrupt(place: &dyn ToString, what: impl Into<String>) -> Corruption {
    Corruption { place: place.to_string(), what: what.into() }
}
