//! What a process takes on, from whom, and what it refuses before it is too late.
//!
//! - [`limited`] bounds connections, in total and of one source address.
//! - [`WhenceLayer`] says where a call comes from, as far as that can be believed.
//! - [`EntranceLayer`] looks at where a call comes from, before any credentials are looked at: how many calls come from
//!   there, and whether the process has room for this one.
//! - [`SlowBodyLayer`] cuts requests whose message trickles in.
//! - [`CallerLimitsLayer`] looks at who calls: how many calls the caller and the tenant make, and whether the tenant has its
//!   share of the process already.
//! - [`UserBudget`] is for handlers that begin something for a user.
//!
//! Rates are refused with `RATE_LIMITED`, and `RetryInfo` says when the next call will be let through; a full process
//! refuses with `OVERLOADED`. Every process counts for itself and remembers a bounded number of keys.

mod body;
mod callers;
mod connections;
mod entrance;
mod forwarded_for;
mod ledger;
mod rate;
mod refusal;
mod settings;
mod shares;
mod source;
mod streams;
mod tally;
mod user;
mod whence;

pub use body::{SlowBody, SlowBodyLayer};
pub use callers::{CallerLimits, CallerLimitsLayer};
pub use connections::{LimitedConnection, limited};
pub use entrance::{Entrance, EntranceLayer};
pub use rate::{Rate, RateError};
pub use settings::Limits;
pub use user::UserBudget;
pub use whence::{Whence, WhenceLayer};
