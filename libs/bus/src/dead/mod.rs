//! What could not be dealt with: kept until the operator gives it out again or drops it.

mod letters;
mod park;

pub use letters::{DeadLetter, DeadLetters};
pub(crate) use park::{Letter, park};

/// Why it was parked.
const REASON: &str = "Countersign-Dead-Reason";
/// The subject it was published on, if it was ever on the bus.
const SUBJECT: &str = "Countersign-Dead-Subject";
/// Where it stood.
const PLACE: &str = "Countersign-Dead-Place";
/// How many bytes of it were left out, because it is larger than NATS takes together with the rest.
const CUT: &str = "Countersign-Dead-Cut";
