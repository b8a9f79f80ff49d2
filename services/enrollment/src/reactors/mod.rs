//! What acts because of events.

mod erasures;
mod secret_rotations;
mod tenant_erasures;

use std::sync::Arc;

use countersign_eventsourcing::Source;
use countersign_service::ApiError;

pub use erasures::Erasures;
pub use secret_rotations::SecretRotations;
pub use tenant_erasures::TenantErasures;

/// What an event asks for has not come to its end.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
struct Unfinished(String);

/// Says why, to whoever gives the event out again.
fn unfinished(error: ApiError) -> Source {
    error.source.unwrap_or_else(|| Arc::new(Unfinished(error.message)))
}
