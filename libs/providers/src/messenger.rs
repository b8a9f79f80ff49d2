//! The port that every provider implements.

use std::{borrow::Cow, error::Error, sync::Arc};

use async_trait::async_trait;

use crate::{Channel, Message, Receipt};

/// Carries messages to users.
#[async_trait]
pub trait Messenger: Send + Sync {
    /// Names the provider in the log and in metrics.
    fn name(&self) -> &'static str;

    /// Says which channels it serves.
    fn channels(&self) -> &'static [Channel];

    /// Hands one message over, once: trying again is the caller's affair.
    async fn send(&self, message: &Message) -> Result<Receipt, SendError>;
}

/// What went wrong. The text is kept for ever in the event log, so it tells neither secrets nor personal data, nor what
/// a provider answered word for word; that belongs in the source, which only the operator's log shows.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{text}")]
pub struct Cause {
    text: Cow<'static, str>,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl Cause {
    /// Says what went wrong.
    #[must_use]
    pub fn new(text: impl Into<Cow<'static, str>>) -> Self {
        Self { text: text.into(), source: None }
    }

    /// Adds what lies underneath.
    #[must_use]
    pub fn caused_by(mut self, source: impl Error + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }
}

/// Why a message was not certainly handed over.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SendError {
    /// It did not go out; trying again may help.
    #[error("the provider cannot take the message for now")]
    Retry(#[source] Cause),
    /// It did not go out, and this message never will.
    #[error("the provider refused the message")]
    Refused(#[source] Cause),
    /// It did not go out, and none will before the operator mends the settings.
    #[error("the provider is not set up rightly")]
    Misconfigured(#[source] Cause),
    /// It may have gone out, so it must not be sent again.
    #[error("the provider did not say whether it took the message")]
    Unknown(#[source] Cause),
}

impl SendError {
    /// Returns what went wrong.
    #[must_use]
    pub const fn cause(&self) -> &Cause {
        match self {
            Self::Retry(cause)
            | Self::Refused(cause)
            | Self::Misconfigured(cause)
            | Self::Unknown(cause) => cause,
        }
    }
}

/// What the installation is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Trying things out: nobody relies on what it does.
    Development,
    /// Users rely on it.
    Production,
}

/// Why a provider cannot be set up as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the provider `{provider}` cannot be used: {what}")]
pub struct Misconfigured {
    /// The provider.
    pub provider: &'static str,
    /// What is wrong and what would be right.
    pub what: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_leads_to_what_lies_underneath() {
        let underneath = std::io::Error::other("connection reset");
        let error = SendError::Unknown(Cause::new("no answer").caused_by(underneath));
        assert_eq!(error.cause().to_string(), "no answer");
        let cause = error.source().unwrap();
        assert_eq!(cause.to_string(), "no answer");
        assert_eq!(cause.source().unwrap().to_string(), "connection reset");
    }
}
