//! The read model of which tenants there are.

use std::collections::BTreeSet;

use async_trait::async_trait;
use countersign_core::TenantId;
use countersign_domain::tenant::Tenant;
use countersign_eventsourcing::{Decider as _, Filter, Poison, Projection, RecordedEvent, Source};
use countersign_service::PassedOver;
use tokio::sync::watch;

/// After this event there is no such tenant.
const ERASED: &str = "TenantErased";

/// Which tenants there are, by id.
#[derive(Debug)]
pub struct TenantDirectory {
    tenants: watch::Sender<Directory>,
    passed_over: PassedOver,
}

#[derive(Debug, Default)]
struct Directory {
    ids: BTreeSet<TenantId>,
    is_complete: bool,
}

impl Default for TenantDirectory {
    fn default() -> Self {
        Self {
            tenants: watch::Sender::new(Directory::default()),
            passed_over: PassedOver::default(),
        }
    }
}

impl TenantDirectory {
    /// Returns what was passed over because it cannot be read.
    #[must_use]
    pub const fn passed_over(&self) -> &PassedOver {
        &self.passed_over
    }

    /// Returns every tenant but the one that stands for the installation; waits until the log has been read.
    pub async fn tenants(&self) -> Vec<TenantId> {
        let mut changes = self.tenants.subscribe();
        // The sender lives in `self`, so waiting cannot fail.
        match changes.wait_for(|directory| directory.is_complete).await {
            Ok(directory) => directory.ids.iter().cloned().collect(),
            Err(_) => Vec::new(),
        }
    }
}

#[async_trait]
impl Projection for TenantDirectory {
    fn name(&self) -> &'static str {
        "tenant-directory.1"
    }

    fn filter(&self) -> Filter {
        Filter {
            event_types: ["TenantCreated", ERASED].map(str::to_owned).into(),
            ..Filter::category(Tenant::CATEGORY)
        }
    }

    async fn apply(&self, event: &RecordedEvent) -> Result<(), Source> {
        if let Ok(id) = TenantId::parse(event.stream.tenant())
            && !id.is_platform()
        {
            let is_end = event.event.event_type == ERASED;
            self.tenants.send_modify(|directory| {
                if is_end {
                    directory.ids.remove(&id);
                } else {
                    directory.ids.insert(id);
                }
            });
        }
        Ok(())
    }

    async fn caught_up(&self) {
        self.tenants.send_modify(|directory| directory.is_complete = true);
    }

    async fn poisoned(&self, poison: &Poison) {
        self.passed_over.note_poison(self.name(), poison);
    }
}
