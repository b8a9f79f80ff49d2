//! A pure state machine whose history is the only truth about it.

use std::{error::Error, fmt::Debug};

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};

/// Decides what commands do, and folds what happened.
///
/// Both functions are synchronous and total. They read no clock, draw no randomness and perform no I/O: whatever they
/// need to know is looked up beforehand and carried in the command.
pub trait Decider: Send + Sync + 'static {
    /// Category of the streams that hold its events.
    const CATEGORY: &'static str;
    /// What the fold knows. Serialisable, so that a snapshot can spare reading the whole stream.
    type State: Default + Clone + Debug + PartialEq + Serialize + DeserializeOwned + Send + Sync;
    /// What is asked.
    type Command: Clone + Send + Sync;
    /// What happened.
    type Event: Clone + PartialEq + Debug + Send + Sync;
    /// Why a command is not allowed. `Err` means that nothing happened.
    type Rejection: Error + Clone + PartialEq + Send + Sync;

    /// Says what `command` does in `state`. No events means "already so".
    ///
    /// # Errors
    /// Says why the command is not allowed; then nothing happened.
    fn decide(
        state: &Self::State,
        command: Self::Command,
    ) -> Result<Vec<Self::Event>, Self::Rejection>;

    /// Folds `event` into `state`. Never fails: an impossible event leaves the state as it is.
    fn evolve(state: Self::State, event: &Self::Event) -> Self::State;
}

/// An event as bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedEvent {
    /// Name of the payload's message.
    pub event_type: &'static str,
    /// Version of the payload's schema.
    pub schema_version: u32,
    /// The payload.
    pub payload: Bytes,
}

/// Why stored bytes are not an event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// No such type and version is known; a newer release may have written it.
    #[error("event type {event_type} version {schema_version} is unknown to this release")]
    UnknownType {
        /// Its type.
        event_type: String,
        /// Its version.
        schema_version: u32,
    },
    /// The payload does not have its schema's form.
    #[error("event type {event_type} has a bad payload: {what}")]
    BadPayload {
        /// Its type.
        event_type: String,
        /// What is wrong.
        what: String,
    },
}

/// Translates a decider's events between the domain's words and the stored schema, old versions included.
pub trait EventCodec: Decider {
    /// Raised whenever `State` or `evolve` changes, so that older snapshots are passed over.
    const STATE_VERSION: u32;

    /// Encodes in the newest version.
    fn encode(event: &Self::Event) -> EncodedEvent;

    /// Decodes any version that was ever written.
    ///
    /// # Errors
    /// Says that the type is unknown or the payload bad.
    fn decode(
        event_type: &str,
        schema_version: u32,
        payload: &Bytes,
    ) -> Result<Self::Event, DecodeError>;
}
