//! Sealing every user's secrets anew: one rotation at a time, each to its end.

use countersign_core::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Event, Rejection, SecretRotationAdvanced, SecretRotationBegun, SecretRotationCompleted, State,
};

/// A rotation of users' secrets: the one under way, or else the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretRotation {
    /// Its number; the first is 1.
    pub rotation: u32,
    /// When it was begun.
    pub begun_at: Timestamp,
    /// How many users are done, as was last told.
    pub users_done: u64,
    /// How many users there are; 0 while nobody has told.
    pub users_total: u64,
    /// When everybody was done.
    pub completed_at: Option<Timestamp>,
}

pub(super) fn begin(state: &State, now: Timestamp) -> Result<Vec<Event>, Rejection> {
    if under_way(state).is_some() {
        return Err(Rejection::SecretRotationUnderWay);
    }
    let last = state.secret_rotation().map_or(0, |last| last.rotation);
    let rotation = last.saturating_add(1);
    Ok(vec![Event::SecretRotationBegun(SecretRotationBegun { rotation, begun_at: now })])
}

pub(super) fn note(state: &State, told: SecretRotationAdvanced) -> Vec<Event> {
    let news = under_way(state).filter(|known| {
        let is_known = (known.users_done, known.users_total) == (told.users_done, told.users_total);
        known.rotation == told.rotation && !is_known
    });
    news.map(|_| Event::SecretRotationAdvanced(told)).into_iter().collect()
}

pub(super) fn complete(state: &State, done: SecretRotationCompleted) -> Vec<Event> {
    let ended = under_way(state).filter(|known| known.rotation == done.rotation);
    ended.map(|_| Event::SecretRotationCompleted(done)).into_iter().collect()
}

fn under_way(state: &State) -> Option<&SecretRotation> {
    state.secret_rotation().filter(|rotation| rotation.completed_at.is_none())
}

impl From<&SecretRotationBegun> for SecretRotation {
    fn from(event: &SecretRotationBegun) -> Self {
        Self {
            rotation: event.rotation,
            begun_at: event.begun_at,
            users_done: 0,
            users_total: 0,
            completed_at: None,
        }
    }
}

impl SecretRotation {
    pub(super) const fn advance(&mut self, event: &SecretRotationAdvanced) {
        (self.users_done, self.users_total) = (event.users_done, event.users_total);
    }

    pub(super) const fn complete(&mut self, event: &SecretRotationCompleted) {
        (self.users_done, self.users_total) = (event.users, event.users);
        self.completed_at = Some(event.completed_at);
    }
}
