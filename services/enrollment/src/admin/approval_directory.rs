//! The read model of which requests for approval there are.

use std::collections::{HashMap, VecDeque};

use async_trait::async_trait;
use countersign_core::{ApprovalId, TenantId};
use countersign_domain::approval::Approval;
use countersign_eventsourcing::{Decider as _, Filter, Poison, Projection, RecordedEvent, Source};
use countersign_service::PassedOver;
use tokio::sync::watch;

/// How many of a tenant's are listed, the newest; some 16 bytes each. All of them stay in the log.
const LISTED: usize = 10_000;

/// Which requests for approval there are, the newest first.
#[derive(Debug)]
pub struct ApprovalDirectory {
    approvals: watch::Sender<Directory>,
    passed_over: PassedOver,
}

#[derive(Debug, Default)]
struct Directory {
    ids: HashMap<TenantId, VecDeque<ApprovalId>>,
    is_complete: bool,
}

impl Default for ApprovalDirectory {
    fn default() -> Self {
        let approvals = watch::Sender::new(Directory::default());
        Self { approvals, passed_over: PassedOver::default() }
    }
}

impl ApprovalDirectory {
    /// Returns what was passed over because it cannot be read.
    #[must_use]
    pub const fn passed_over(&self) -> &PassedOver {
        &self.passed_over
    }

    /// Returns those of a tenant, the newest first; waits until the log has been read.
    pub async fn of(&self, tenant: &TenantId) -> Vec<ApprovalId> {
        let mut changes = self.approvals.subscribe();
        // The sender lives in `self`, so waiting cannot fail.
        match changes.wait_for(|directory| directory.is_complete).await {
            Ok(directory) => directory.ids.get(tenant).into_iter().flatten().copied().collect(),
            Err(_) => Vec::new(),
        }
    }
}

impl Directory {
    fn add(&mut self, tenant: TenantId, id: ApprovalId) {
        let ids = self.ids.entry(tenant).or_default();
        ids.push_front(id);
        ids.truncate(LISTED);
    }
}

#[async_trait]
impl Projection for ApprovalDirectory {
    fn name(&self) -> &'static str {
        "approval-directory.1"
    }

    fn filter(&self) -> Filter {
        Filter {
            event_types: vec!["ApprovalRequested".to_owned()],
            ..Filter::category(Approval::CATEGORY)
        }
    }

    async fn apply(&self, event: &RecordedEvent) -> Result<(), Source> {
        let (tenant, id) = (event.stream.tenant(), event.stream.key());
        match TenantId::parse(tenant).and_then(|tenant| Ok((tenant, ApprovalId::parse(id)?))) {
            Ok((tenant, id)) => self.approvals.send_modify(|directory| directory.add(tenant, id)),
            Err(error) => self.passed_over.note_event(self.name(), event, &error),
        }
        Ok(())
    }

    async fn caught_up(&self) {
        self.approvals.send_modify(|directory| directory.is_complete = true);
    }

    async fn poisoned(&self, poison: &Poison) {
        self.passed_over.note_poison(self.name(), poison);
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn the_newest_comes_first_and_the_oldest_goes_when_there_are_too_many() {
        let tenant = TenantId::parse("acme").unwrap();
        let id = |n: usize| ApprovalId::new(Uuid::from_u128(n as u128));
        let mut directory = Directory::default();
        for n in 0..=LISTED {
            directory.add(tenant.clone(), id(n));
        }
        let listed = &directory.ids[&tenant];
        assert_eq!(listed.len(), LISTED);
        assert_eq!((listed.front(), listed.back()), (Some(&id(LISTED)), Some(&id(1))));
    }
}
