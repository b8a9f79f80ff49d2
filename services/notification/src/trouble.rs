//! What keeps a follower from dealing with an event, and whether waiting helps.

use std::{error::Error, sync::Arc};

use countersign_core::FieldProblem;
use countersign_eventsourcing::{DecodeError, ExecuteError, ReadError, RecordedEvent, Source};
use countersign_keys::VaultError;
use countersign_service::PassedOver;

/// Why an event was not dealt with.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// It may be over later: the follower begins again at this event.
    Passing(Source),
    /// It will be the same next time: the event is passed over, so that those behind it are not held up for ever.
    Lasting(Source),
}

impl Trouble {
    pub(crate) fn passing(source: impl Error + Send + Sync + 'static) -> Self {
        Self::Passing(Arc::new(source))
    }

    pub(crate) fn lasting(source: impl Error + Send + Sync + 'static) -> Self {
        Self::Lasting(Arc::new(source))
    }
}

impl From<ReadError> for Trouble {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Unavailable(_) => Self::passing(error),
            ReadError::Corrupt(_) => Self::lasting(error),
        }
    }
}

impl<R: Error + Send + Sync + 'static> From<ExecuteError<R>> for Trouble {
    fn from(error: ExecuteError<R>) -> Self {
        match error {
            ExecuteError::Contended | ExecuteError::Unavailable(_) => Self::passing(error),
            ExecuteError::Rejected(_)
            | ExecuteError::RequestIdReused
            | ExecuteError::Corrupt(_) => Self::lasting(error),
        }
    }
}

impl From<VaultError> for Trouble {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::Unavailable(_) | VaultError::Superseded => Self::passing(error),
            VaultError::Erased | VaultError::Damaged(_) => Self::lasting(error),
        }
    }
}

impl From<DecodeError> for Trouble {
    fn from(error: DecodeError) -> Self {
        Self::lasting(error)
    }
}

impl From<FieldProblem> for Trouble {
    fn from(error: FieldProblem) -> Self {
        Self::lasting(error)
    }
}

/// Settles what `follower` made of `recorded`: passing trouble stops it, lasting trouble is noted.
pub(crate) fn settle(
    passed_over: &PassedOver,
    follower: &'static str,
    recorded: &RecordedEvent,
    outcome: Result<(), Trouble>,
) -> Result<(), Source> {
    match outcome {
        Ok(()) => Ok(()),
        Err(Trouble::Passing(source)) => Err(source),
        Err(Trouble::Lasting(source)) => {
            passed_over.note_event(follower, recorded, &*source);
            Ok(())
        }
    }
}
