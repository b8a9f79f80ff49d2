//! Erases the users of tenants that were erased, should whoever erased them not have come to it.

use std::sync::Arc;

use async_trait::async_trait;
use countersign_core::TenantId;
use countersign_domain::tenant::Tenant;
use countersign_eventsourcing::{Decider as _, Filter, Poison, Reactor, RecordedEvent, Source};
use countersign_service::{ApiError, Foundation, PassedOver, Reason};

use super::{Unfinished, unfinished};
use crate::app::{TENANT_ERASED, TenantErasure, erase_tenant};

/// Follows `TenantErased`, and erases the tenant's users. Seeing an event again erases those who are left.
#[derive(Debug)]
pub struct TenantErasures {
    foundation: Arc<Foundation>,
    passed_over: PassedOver,
}

impl TenantErasures {
    /// Makes the reactor over a foundation.
    #[must_use]
    pub fn new(foundation: Arc<Foundation>) -> Self {
        Self { foundation, passed_over: PassedOver::default() }
    }

    /// Returns what was passed over because it cannot be acted upon.
    #[must_use]
    pub const fn passed_over(&self) -> &PassedOver {
        &self.passed_over
    }

    async fn finish(&self, event: &RecordedEvent, tenant: TenantId) -> Result<(), ApiError> {
        let metadata = &event.event.metadata;
        let erasure = TenantErasure {
            tenant,
            reason: TENANT_ERASED.to_owned(),
            requester: Arc::clone(&metadata.requester),
            correlation_id: metadata.correlation_id,
        };
        erase_tenant(&self.foundation, &erasure, |_, _| {}).await.map(drop)
    }
}

#[async_trait]
impl Reactor for TenantErasures {
    fn name(&self) -> &'static str {
        "tenant-erasures.1"
    }

    fn filter(&self) -> Filter {
        Filter {
            event_types: vec!["TenantErased".to_owned()],
            ..Filter::category(Tenant::CATEGORY)
        }
    }

    async fn react(&self, event: &RecordedEvent) -> Result<(), Source> {
        let tenant = match TenantId::parse(event.stream.tenant()) {
            Ok(tenant) => tenant,
            Err(error) => {
                self.passed_over.note_event(self.name(), event, &error);
                return Ok(());
            }
        };
        match self.finish(event, tenant).await {
            Ok(()) => Ok(()),
            Err(error) if error.reason == Reason::DataDamaged => {
                self.passed_over.note_event(self.name(), event, &Unfinished(error.message));
                Ok(())
            }
            // It begins again at this event.
            Err(error) => Err(unfinished(error)),
        }
    }

    async fn poisoned(&self, poison: &Poison) {
        self.passed_over.note_poison(self.name(), poison);
    }
}
