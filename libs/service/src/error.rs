//! The error of every use case: what the caller is told, and what only the operator is told.

use std::{error::Error, sync::Arc, time::Duration};

use countersign_core::{FieldError, FieldProblem};
use countersign_eventsourcing::{ExecuteError, ReadError};
use countersign_keys::VaultError;

use crate::Reason;

/// How long a caller should wait before it asks again, where nothing better is known.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// After how long whoever met with others at the same user may try again.
const CONTENDED_RETRY_AFTER: Duration = Duration::from_millis(100);

/// Why a request came to nothing. Only what is not named `source` reaches the caller.
#[derive(Clone, Debug)]
pub struct ApiError {
    /// The reason, which decides the status code.
    pub reason: Reason,
    /// For people: lower-case, no full stop, never a secret or personal data.
    pub message: String,
    /// The field at fault and what would be right.
    pub field: Option<Box<FieldError>>,
    /// When it makes sense to ask again.
    pub retry_after: Option<Duration>,
    /// More about the reason, for machines.
    pub metadata: Vec<(&'static str, String)>,
    /// What happened underneath, for the operator's log.
    pub source: Option<Arc<dyn Error + Send + Sync>>,
}

impl ApiError {
    /// Fails for `reason`, said by its own meaning.
    #[must_use]
    pub fn new(reason: Reason) -> Self {
        let meaning = reason.meaning().trim_end_matches('.');
        let mut letters = meaning.chars();
        let message = letters.next().map_or_else(String::new, |first| {
            first.to_lowercase().chain(letters).collect::<String>()
        });
        Self::with_message(reason, message)
    }

    /// Fails for `reason`, said by `message`.
    #[must_use]
    pub fn with_message(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
            field: None,
            retry_after: None,
            metadata: Vec::new(),
            source: None,
        }
    }

    /// Fails because of a field.
    #[must_use]
    pub fn field(field: &'static str, problem: FieldProblem) -> Self {
        let error = FieldError::new(field, problem);
        let message = error.to_string();
        Self { field: Some(Box::new(error)), ..Self::with_message(Reason::FieldInvalid, message) }
    }

    /// Names the field at fault, where the reason is another than that the field is invalid.
    #[must_use]
    pub fn at(mut self, field: &'static str, problem: FieldProblem) -> Self {
        self.field = Some(Box::new(FieldError::new(field, problem)));
        self
    }

    /// Adds what happened underneath.
    #[must_use]
    pub fn caused_by(mut self, source: impl Error + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// Adds when it makes sense to ask again.
    #[must_use]
    pub const fn retry_after(mut self, delay: Duration) -> Self {
        self.retry_after = Some(delay);
        self
    }

    /// Adds a fact for machines.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.metadata.push((key, value.into()));
        self
    }

    /// Fails because of a defect.
    #[must_use]
    pub fn internal(source: impl Error + Send + Sync + 'static) -> Self {
        Self::new(Reason::Internal).caused_by(source)
    }

    /// Translates the failure of a command; `rejected` translates the domain's own word.
    pub fn from_execute<R: Error + 'static>(
        error: ExecuteError<R>,
        rejected: impl FnOnce(R) -> Self,
    ) -> Self {
        match error {
            ExecuteError::Rejected(rejection) => rejected(rejection),
            ExecuteError::RequestIdReused => Self::new(Reason::RequestIdReused),
            ExecuteError::Contended => {
                Self::new(Reason::Contended).retry_after(CONTENDED_RETRY_AFTER)
            }
            ExecuteError::Unavailable(source) => {
                Self::new(Reason::LogUnavailable).retry_after(RETRY_AFTER).caused_by(source)
            }
            ExecuteError::Corrupt(source) => Self::new(Reason::DataDamaged).caused_by(source),
        }
    }
}

impl From<FieldError> for ApiError {
    fn from(error: FieldError) -> Self {
        Self::field(error.field, error.problem)
    }
}

impl From<ReadError> for ApiError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Unavailable(_) => {
                Self::new(Reason::LogUnavailable).retry_after(RETRY_AFTER).caused_by(error)
            }
            ReadError::Corrupt(_) => Self::new(Reason::DataDamaged).caused_by(error),
        }
    }
}

impl From<VaultError> for ApiError {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::Erased => Self::new(Reason::UserErased),
            VaultError::Unavailable(_) => {
                Self::new(Reason::KeysUnavailable).retry_after(RETRY_AFTER).caused_by(error)
            }
            VaultError::Damaged(_) => Self::new(Reason::DataDamaged).caused_by(error),
            VaultError::Superseded => {
                Self::new(Reason::Contended).retry_after(CONTENDED_RETRY_AFTER).caused_by(error)
            }
        }
    }
}
