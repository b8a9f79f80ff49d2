//! What acts because of events.

mod erasures;
mod tenant_erasures;

pub use erasures::Erasures;
pub use tenant_erasures::TenantErasures;
