//! Event-log engines: one folder per engine, each passing the contract of
//! [`EventLog`](countersign_eventsourcing::EventLog).
//!
//! | Engine | For |
//! | --- | --- |
//! | [`memory`] | tests, and the model that the others are compared with |
//! | [`embedded`] | the single process: a data directory, durable before it answers |
//! | [`jetstream`] | many processes: a stream of NATS JetStream, on one server or several |
//! | [`kurrentdb`] | many processes: a KurrentDB, one node or a cluster |
//!
//! Whatever the engine, an event is stored in an [`envelope`] with a checksum.

pub mod embedded;
pub mod envelope;
mod following;
pub mod jetstream;
pub mod kurrentdb;
mod matcher;
pub mod memory;

use std::hash::{BuildHasher as _, RandomState};

use countersign_eventsourcing::LogId;

/// Greatest size of one append in bytes, all its events' envelopes together.
pub const MAX_APPEND_BYTES: usize = 4 * 1024 * 1024;

/// Names a new log. The name need only differ from other logs' names, so that the seeds of hash maps are random enough.
fn new_log_id() -> LogId {
    let random = RandomState::new();
    let bits = u128::from(random.hash_one(0)) << 64 | u128::from(random.hash_one(1));
    LogId(uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid())
}
