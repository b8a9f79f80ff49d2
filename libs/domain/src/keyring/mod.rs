//! The installation's own keys, as the log tells of them: the ring of the key-encryption key, the keys that sign statements,
//! and rotations of users' secrets.
//!
//! ```text
//! ring            KeyVersionAdded ──▶ KeysRewrapped ──▶ KeyVersionsRetired
//! signing keys    AssertionKeyPublished ──▶ AssertionKeysWithdrawn
//! secrets         SecretRotationBegun ──▶ SecretRotationAdvanced … ──▶ SecretRotationCompleted
//! ```
//!
//! Keys lie in a directory and not in the log, and may be changed there while nobody serves. So the first two rows are told
//! after the fact, by whoever sees it: [`Command::Observe`]. The third row is decided here, and done because of it.

mod convert;
mod event;
mod observe;
mod secret_rotation;
mod state;

use countersign_core::Timestamp;
use countersign_eventsourcing::Decider;

pub use event::{
    AssertionKeyPublished, AssertionKeysWithdrawn, Event, KeyProviderChanged, KeyVersionAdded,
    KeyVersionsRetired, KeyringRewrapped, KeysFounded, KeysRewrapped, SecretRotationAdvanced,
    SecretRotationBegun, SecretRotationCompleted,
};
pub use observe::{Observed, ObservedAssertionKey};
pub use secret_rotation::SecretRotation;
pub use state::State;

/// The decider of stream `keyring-{tenant}.installation`, of the platform's tenant.
#[derive(Clone, Copy, Debug)]
pub struct Keyring;

impl Keyring {
    /// The key of its one stream.
    pub const STREAM_KEY: &'static str = "installation";
}

/// What may be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Tells the installation's keys from another's. Nothing happens if that was told.
    Found {
        /// Tells the index key from another.
        fingerprint: Box<str>,
        /// The present instant.
        now: Timestamp,
    },
    /// Tells what the keys are. Nothing happens if all of it was told, or if whoever looks is behind.
    Observe(Box<Observed>),
    /// Begins to seal every user's secrets anew.
    BeginSecretRotation {
        /// The present instant.
        now: Timestamp,
    },
    /// Tells how far that has come. Nothing happens if that rotation is not under way, or if it was told.
    NoteSecretRotation {
        /// The rotation.
        rotation: u32,
        /// How many users are done.
        users_done: u64,
        /// How many users there are.
        users_total: u64,
    },
    /// Tells that everybody is done. Nothing happens if that rotation is not under way.
    CompleteSecretRotation {
        /// The rotation.
        rotation: u32,
        /// How many users had secrets.
        users: u64,
        /// How many secrets were sealed anew.
        secrets: u64,
        /// The present instant.
        now: Timestamp,
    },
}

/// Why a command is not allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// One rotation of secrets comes to its end before the next begins.
    #[error("users' secrets are being sealed anew: wait until that is complete")]
    SecretRotationUnderWay,
    /// The log was written with other keys.
    #[error("the event log was written with other keys")]
    OtherKeys,
}

impl Decider for Keyring {
    const CATEGORY: &'static str = "keyring";
    type State = State;
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;

    fn decide(state: &State, command: Command) -> Result<Vec<Event>, Rejection> {
        match command {
            Command::Found { fingerprint, now } => match state.fingerprint() {
                None => Ok(vec![Event::KeysFounded(KeysFounded { fingerprint, seen_at: now })]),
                Some(known) if *known == *fingerprint => Ok(vec![]),
                Some(_) => Err(Rejection::OtherKeys),
            },
            Command::Observe(observed) => Ok(observe::observe(state, &observed)),
            Command::BeginSecretRotation { now } => secret_rotation::begin(state, now),
            Command::NoteSecretRotation { rotation, users_done, users_total } => {
                let told = SecretRotationAdvanced { rotation, users_done, users_total };
                Ok(secret_rotation::note(state, told))
            }
            Command::CompleteSecretRotation { rotation, users, secrets, now } => {
                let done = SecretRotationCompleted { rotation, users, secrets, completed_at: now };
                Ok(secret_rotation::complete(state, done))
            }
        }
    }

    fn evolve(state: State, event: &Event) -> State {
        state.evolve(event)
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod scenarios;
