//! When keys were last used: told in the log once an hour, without anyone waiting for it.

use std::{collections::HashSet, sync::Arc};

use countersign_core::{KeyId, TenantId};
use countersign_domain::tenant::{ApiKey, Command, NoteApiKeyUse, USE_TOLD_EVERY};
use countersign_eventsourcing::{Metadata, Request};
use parking_lot::Mutex;
use uuid::Uuid;

use crate::{Foundation, tenant_stream};

/// Names what is told of keys (RFC 9562 section 5.5); never changes, or replicas would tell the same twice.
const USES: Uuid = Uuid::from_u128(0x3d0f_6a7b_9e51_4f0c_8a55_c1b6_27d4_90ee);

/// Uses that are being told just now.
#[derive(Clone, Debug, Default)]
pub(super) struct LastUse {
    telling: Arc<Mutex<HashSet<(TenantId, KeyId)>>>,
}

impl LastUse {
    /// Tells that `key` was used, if that is news.
    pub(super) fn tell(
        &self,
        foundation: &Arc<Foundation>,
        tenant: &TenantId,
        id: &KeyId,
        key: &ApiKey,
    ) {
        if !key.is_use_news(foundation.now()) {
            return;
        }
        let told = (tenant.clone(), id.clone());
        if !self.telling.lock().insert(told.clone()) {
            return;
        }
        let (foundation, telling) = (Arc::clone(foundation), Arc::clone(&self.telling));
        tokio::spawn(async move {
            let (tenant, key_id) = &told;
            if let Err(error) = append(&foundation, tenant, key_id).await {
                // The next use tells it.
                tracing::debug!(%tenant, %key_id, %error, "cannot tell that a key was used");
            }
            telling.lock().remove(&told);
        });
    }
}

/// Appends the event. All replicas give it the same id within an hour, so that it is there once.
async fn append(
    foundation: &Foundation,
    tenant: &TenantId,
    key_id: &KeyId,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let now = foundation.now();
    let every = i64::try_from(USE_TOLD_EVERY.as_secs())?;
    let name = format!("{tenant}.{key_id}.{}", now.unix_seconds().div_euclid(every));
    let command_id = Uuid::new_v5(&USES, name.as_bytes());
    let metadata = Metadata {
        recorded_at: now,
        correlation_id: command_id,
        causation_id: command_id,
        requester: "access".into(),
        traceparent: "".into(),
        request_digest: 0,
    };
    let command = Command::NoteApiKeyUse(NoteApiKeyUse { key_id: key_id.clone(), now });
    let stream = tenant_stream(tenant);
    foundation.tenants.execute(&stream, &Request { command_id, metadata }, command).await?;
    Ok(())
}
