//! Read models.

mod deliveries;

pub use deliveries::Deliveries;
