//! Who calls, and on whose behalf.

use std::sync::Arc;

use countersign_core::{FieldProblem, TenantId};
use countersign_domain::tenant::Role;

use crate::ApiError;

/// Metadata by which a caller of the platform names the tenant that it acts on.
pub const TENANT_METADATA: &str = "countersign-tenant";

/// An authenticated caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Who it is, for the audit: `api-key:{tenant}.{key}`.
    pub requester: Arc<str>,
    /// The tenant that its key belongs to.
    pub home: TenantId,
    /// What it may do.
    pub roles: Arc<[Role]>,
    /// The tenant that it acts on: its own, or the one that a caller of the platform named.
    pub acts_on: Option<TenantId>,
}

impl Caller {
    /// Returns the tenant that it acts on.
    ///
    /// # Errors
    /// Says that a caller of the platform named none.
    pub fn tenant(&self) -> Result<&TenantId, ApiError> {
        self.acts_on.as_ref().ok_or_else(|| {
            let problem =
                FieldProblem::Other("is required in the metadata of a caller of the platform");
            ApiError::field(TENANT_METADATA, problem)
        })
    }

    /// Returns whether it holds one of `roles`.
    #[must_use]
    pub fn has_any(&self, roles: &[Role]) -> bool {
        self.roles.iter().any(|role| roles.contains(role))
    }
}
