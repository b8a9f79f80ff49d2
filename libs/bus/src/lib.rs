//! The bus: what is in the log, for whoever reacts to it.
//!
//! A [`Publisher`] follows the log and copies every event to NATS, once and in order, however many replicas run one. The
//! effects of events are performed by reactors, which a [`Bus`] runs: [`NatsBus`] as durable consumers that all replicas
//! of a service share, [`InProcessBus`] straight from the log where there is only one process. What cannot be dealt with
//! is parked as a [`DeadLetter`], for the operator to give out again or drop.

#![forbid(unsafe_code)]

mod bus;
mod consumer;
mod dead;
mod error;
mod escape;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod in_process;
mod message;
mod names;
mod parked;
mod pause;
mod publisher;
mod setup;

pub use bus::{Bus, ConsumerReport};
pub use consumer::ConsumerSettings;
pub use dead::{DeadLetter, DeadLetters};
pub use error::BusError;
pub use in_process::InProcessBus;
pub use message::{Unreadable, headers_of, rebuild};
pub use parked::Parked;
pub use publisher::{Publisher, PublisherReport, PublisherSettings, PublisherStatus};
pub use setup::{DEFAULT_MAX_AGE, NatsBus};
