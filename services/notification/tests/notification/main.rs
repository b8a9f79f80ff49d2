//! The service over a log in memory: real reactors and read model, a real vault, and a provider that does as told.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may fail where it stands"
)]

mod checkpoints;
mod following;
mod messenger;
mod notices;
mod reading;
mod sending;
mod world;
