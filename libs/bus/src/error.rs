//! Why the bus did not do what it was asked.

use std::{error::Error, sync::Arc};

use countersign_eventsourcing::{ReadError, Source};

/// Why the bus did not do what it was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum BusError {
    /// It was never made.
    #[error("NATS has no stream `{stream}`: run `countersign init`")]
    Missing {
        /// The stream that was looked for.
        stream: String,
    },
    /// NATS cannot be reached, or does not do what it should for now. Try again later.
    #[error("the bus is unavailable")]
    Unavailable(#[source] Source),
    /// The log cannot be read.
    #[error(transparent)]
    Log(#[from] ReadError),
    /// It was dropped or given out again already.
    #[error("there is no dead letter {0}")]
    NoSuchLetter(u64),
    /// What the log itself holds unreadable was never meant for a consumer.
    #[error("dead letter {0} was never an event: it can be dropped, not given out again")]
    NotForAConsumer(u64),
}

impl BusError {
    /// Wraps what the client says.
    pub(crate) fn unavailable(source: impl Error + Send + Sync + 'static) -> Self {
        Self::Unavailable(Arc::new(source))
    }

    /// Wraps what the client says in a box.
    pub(crate) fn boxed(source: Box<dyn Error + Send + Sync>) -> Self {
        Self::Unavailable(source.into())
    }
}
