//! What acts because of events.

mod erasures;
mod secret_rotations;
mod tenant_erasures;

pub use erasures::Erasures;
pub use secret_rotations::SecretRotations;
pub use tenant_erasures::TenantErasures;
