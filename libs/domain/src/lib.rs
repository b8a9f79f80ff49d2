//! The aggregates: what may happen to a user's authenticators, challenges and sign-ins, to tenants, to deliveries and to
//! the installation's own keys.
//!
//! Floor 2, and pure: no clock, no randomness, no I/O. Each aggregate is a folder: `mod.rs` draws the state machine and
//! dispatches, `event.rs` says what can happen, `state.rs` folds it, one file per command decides, and `convert.rs`
//! translates events to the stored schema.

pub mod approval;
pub mod catalog;
pub mod delivery;
pub mod keyring;
pub mod policy;
pub mod tenant;
pub mod throttle;
pub mod usable;
pub mod user_authenticators;
pub mod user_challenges;
pub mod user_sign_ins;
pub mod wire;
