//! What is told of a signing key.

use countersign_core::Timestamp;

use super::AssertionAlgorithm;

/// A signing key that is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedKey {
    /// Its id.
    pub kid: String,
    /// How it signs.
    pub algorithm: AssertionAlgorithm,
    /// When it began or begins to sign; for the first key the beginning of time.
    pub signs_from: Timestamp,
    /// When its last statement will have expired; `None` while no other key is to follow it.
    pub published_until: Option<Timestamp>,
    /// Whether it signs now.
    pub signs: bool,
}
