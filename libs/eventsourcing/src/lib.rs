//! Event sourcing without I/O: facts in, decisions out.
//!
//! Floor 1. A [`Decider`] says what a command does to a state, an [`EventLog`] keeps what happened, and an
//! [`Executor`] brings them together: load, fold, decide, append. [`Projection`] and [`Reactor`] follow the log; they
//! are two traits so that rebuilding a read model can never send a message.

#[cfg(feature = "contract")]
pub mod contract;
mod decider;
mod event;
mod execute;
mod flights;
mod folded;
mod folds;
mod follow;
mod known;
mod log;
mod queue;
mod scenario;
mod snapshot;
mod stream;

pub use decider::{Decider, DecodeError, EncodedEvent, EventCodec};
pub use event::{Metadata, NewEvent, RecordedEvent};
pub use execute::{ExecuteError, Executed, Executor, GiveUp, Request};
pub use folded::Folded;
pub use follow::{
    Checkpoint, CheckpointStore, FollowError, MemoryCheckpoints, Projection, Reactor,
    run_projection, run_reactor,
};
pub use log::{
    AppendError, Appended, Corruption, EventLog, EventStream, ExpectedRevision, Filter, FollowItem,
    FollowStream, LogId, Poison, Position, ReadError, Source,
};
pub use scenario::Scenario;
pub use snapshot::{NoSnapshots, SnapshotStore};
pub use stream::{Revision, StreamId};
