//! Erasing every user of a tenant.

use std::sync::Arc;

use countersign_core::TenantId;
use countersign_eventsourcing::{Metadata, Request};
use countersign_service::{ApiError, Foundation, User};
use uuid::Uuid;

use super::{Activity, erase_user::end_user};

/// Names the commands by which users are erased (RFC 9562 section 5.5); never changes, or repeats would not be found.
const TENANT_ERASURE: Uuid = Uuid::from_u128(0xa4d3_1b86_07fe_4c59_92c7_5e60_b1d8_3f2a);

/// Why the users of a tenant that was erased are.
pub(crate) const TENANT_ERASED: &str = "the tenant was erased";

/// Who has every user of a tenant erased, and why.
#[derive(Clone, Debug)]
pub struct TenantErasure {
    /// The tenant. Whoever asks sees to it that no users are added any more.
    pub tenant: TenantId,
    /// Why, for the audit. No personal data.
    pub reason: String,
    /// Who asks, for the audit.
    pub requester: Arc<str>,
    /// Names what asked for it across services.
    pub correlation_id: Uuid,
}

/// Erases every user of a tenant, tells `progress` how many of how many are done, and returns how many were erased now.
/// Whatever interrupts it, a repeat goes on with those who are left; once none is, it returns zero.
///
/// # Errors
/// Says that the log or the store of data keys cannot be reached or read: repeat the call.
pub async fn erase_tenant(
    foundation: &Foundation,
    asked: &TenantErasure,
    mut progress: impl FnMut(u64, u64),
) -> Result<u64, ApiError> {
    let mut activity = Activity::of(&asked.tenant);
    let mut erased = 0;
    loop {
        activity.catch_up(&*foundation.log).await?;
        let users = activity.silent(&asked.tenant, |_| true);
        if users.is_empty() {
            return Ok(erased);
        }
        let all = erased + users.len() as u64;
        progress(erased, all);
        for user in users {
            let request = request(foundation, asked, &user);
            end_user(foundation, &user, &request, asked.reason.clone()).await?;
            activity.forget(&user);
            erased += 1;
            progress(erased, all);
        }
    }
}

fn request(foundation: &Foundation, asked: &TenantErasure, user: &User) -> Request {
    let name = user.authenticators().to_string();
    let command_id = Uuid::new_v5(&TENANT_ERASURE, name.as_bytes());
    Request {
        command_id,
        metadata: Metadata {
            recorded_at: foundation.now(),
            correlation_id: asked.correlation_id,
            causation_id: command_id,
            requester: Arc::clone(&asked.requester),
            traceparent: "".into(),
            request_digest: 0,
        },
    }
}
