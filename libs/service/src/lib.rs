//! What every service shares: who calls and what they may do, how requests become commands, how errors become statuses,
//! telemetry, and an orderly start and stop.

pub mod access;
pub mod caller;
pub mod deadline;
mod error;
pub mod fields;
mod followers;
mod foundation;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
pub mod keys;
pub mod lifecycle;
pub mod limits;
pub mod paging;
mod panics;
mod passed_over;
pub mod peers;
pub mod present;
mod reactors;
mod ready;
mod reason;
pub mod request_line;
mod rpcs;
mod scope;
pub mod seals;
mod secrets;
mod seldom;
mod status;
pub mod telemetry;
pub mod transport;
mod usable;
mod world;

pub use error::ApiError;
pub use followers::{Board, FollowerReport};
pub use foundation::{
    Foundation, FoundationParts, User, approval_stream, keyring_stream, tenant_stream,
    user_not_erased,
};
pub use passed_over::{PassedEvent, PassedOver};
pub use reason::Reason;
pub use scope::{APPROVAL_METADATA, Scope};
pub use secrets::{LostSecretsKey, open_record};
pub use status::{to_last_status, to_status};
pub use usable::usable;
pub use world::{OsRandom, SystemClock};
