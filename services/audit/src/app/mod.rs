//! Use cases, one a file.

mod fold;
mod replay_events;
mod state_as_of;

pub(crate) use replay_events::{RecordedWithin, Replay, Replayed, replay_events};
pub(crate) use state_as_of::{StateAsOf, state_as_of};
