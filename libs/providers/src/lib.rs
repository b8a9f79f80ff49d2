//! Outside services that carry messages to users: one folder per provider, each behind [`Messenger`].
//!
//! Floor 2. Whoever sends knows only the trait; a provider's own words stay in its folder. Announcing a message in the
//! log, trying again and giving up are the caller's affair.
//!
//! | Provider | For |
//! | --- | --- |
//! | [`log`] | development: writes a line instead of sending, and refuses production |

#![forbid(unsafe_code)]

pub mod log;
mod message;
mod messenger;

pub use message::{Channel, Message, Receipt, Recipient};
pub use messenger::{Cause, Messenger, Misconfigured, Mode, SendError};
