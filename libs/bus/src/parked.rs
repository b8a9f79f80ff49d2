//! What one process has parked: the newest, by place.

use std::{collections::VecDeque, fmt};

/// How many of the newest are kept by name.
const KEPT: usize = 16;

/// Something that could not be dealt with and was parked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parked {
    /// Where it stood, for example a stream and revision, or a subject and its sequence.
    pub place: String,
    /// What is wrong with it. Never a secret.
    pub reason: String,
}

impl fmt::Display for Parked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.reason)
    }
}

/// The newest that were parked, oldest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Newest(VecDeque<Parked>);

impl Newest {
    pub(crate) fn note(&mut self, parked: Parked) {
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        self.0.push_back(parked);
    }

    pub(crate) fn list(&self) -> Vec<Parked> {
        self.0.iter().cloned().collect()
    }
}
