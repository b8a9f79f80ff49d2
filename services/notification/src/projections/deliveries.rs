//! The read model of each tenant's newest deliveries.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use countersign_core::{DeliveryId, TenantId};
use countersign_domain::delivery::{Delivery, Event};
use countersign_eventsourcing::{
    Decider as _, EventCodec as _, Filter, Poison, Position, Projection, RecordedEvent, Source,
};
use countersign_service::{PassedOver, paging::Page};
use tokio::sync::watch;

use crate::{
    course::Course,
    trouble::{Trouble, settle},
};

/// How many deliveries of one tenant are kept, some 300 bytes each.
const KEPT_PER_TENANT: usize = 10_000;

/// Each tenant's newest deliveries, in memory. Older ones can still be read one by one, from their own streams.
#[derive(Debug)]
pub struct Deliveries {
    kept: watch::Sender<Kept>,
    kept_per_tenant: usize,
    passed_over: PassedOver,
}

#[derive(Debug, Default)]
struct Kept {
    tenants: HashMap<TenantId, Newest>,
    is_complete: bool,
}

/// One tenant's deliveries by the position at which they were announced, and those positions by id.
#[derive(Debug, Default)]
struct Newest {
    courses: BTreeMap<Position, Course>,
    positions: HashMap<DeliveryId, Position>,
}

impl Default for Deliveries {
    fn default() -> Self {
        Self::keeping(KEPT_PER_TENANT)
    }
}

impl Deliveries {
    fn keeping(kept_per_tenant: usize) -> Self {
        Self {
            kept: watch::Sender::new(Kept::default()),
            kept_per_tenant,
            passed_over: PassedOver::default(),
        }
    }

    /// Returns what was passed over because it cannot be read or acted upon.
    #[must_use]
    pub const fn passed_over(&self) -> &PassedOver {
        &self.passed_over
    }

    /// Returns a page of a tenant's deliveries, newest first, and the token of the next one; waits until the log has
    /// been read.
    pub(crate) async fn newest(&self, tenant: &TenantId, page: Page) -> (Vec<Course>, String) {
        let mut changes = self.kept.subscribe();
        // The sender lives in `self`, so waiting cannot fail.
        match changes.wait_for(|kept| kept.is_complete).await {
            Ok(kept) => {
                let newest = kept.tenants.get(tenant).into_iter();
                page.take(newest.flat_map(|newest| newest.courses.values().rev().cloned()))
            }
            Err(_) => (Vec::new(), String::new()),
        }
    }

    fn take_in(&self, recorded: &RecordedEvent) -> Result<(), Trouble> {
        let tenant = TenantId::parse(recorded.stream.tenant())?;
        let event = &recorded.event;
        let event = Delivery::decode(&event.event_type, event.schema_version, &event.payload)?;
        self.kept.send_modify(|kept| {
            let newest = kept.tenants.entry(tenant).or_default();
            newest.evolve(recorded.position, event, self.kept_per_tenant);
        });
        Ok(())
    }
}

impl Newest {
    fn evolve(&mut self, position: Position, event: Event, most: usize) {
        let id = match &event {
            Event::DeliveryRequested(requested) => requested.delivery_id,
            Event::DeliverySent(sent) => sent.delivery_id,
            Event::DeliveryFailed(failed) => failed.delivery_id,
        };
        let position = self.positions.get(&id).copied().unwrap_or(position);
        let course = self.courses.remove(&position);
        // Nothing comes of the end of a delivery that has left already.
        if let Some(course) = Course::evolve(course, event) {
            self.courses.insert(position, course);
            self.positions.insert(id, position);
        }
        while self.courses.len() > most {
            if let Some((_, oldest)) = self.courses.pop_first() {
                self.positions.remove(&oldest.id);
            }
        }
    }
}

#[async_trait]
impl Projection for Deliveries {
    fn name(&self) -> &'static str {
        "deliveries.1"
    }

    fn filter(&self) -> Filter {
        Filter::category(Delivery::CATEGORY)
    }

    async fn apply(&self, event: &RecordedEvent) -> Result<(), Source> {
        settle(&self.passed_over, self.name(), event, self.take_in(event))
    }

    async fn caught_up(&self) {
        self.kept.send_modify(|kept| kept.is_complete = true);
    }

    async fn poisoned(&self, poison: &Poison) {
        self.passed_over.note_poison(self.name(), poison);
    }
}

#[cfg(test)]
mod tests {
    use countersign_core::Timestamp;
    use countersign_crypto::Sealed;
    use countersign_domain::delivery::{DeliveryRequested, DeliverySent};
    use uuid::Uuid;

    use super::*;

    fn id(number: u64) -> DeliveryId {
        DeliveryId::new(Uuid::from_u128(number.into()))
    }

    fn requested(number: u64) -> Event {
        Event::DeliveryRequested(DeliveryRequested {
            delivery_id: id(number),
            template: "authenticator_enrolled".into(),
            recipient: Sealed { key_id: "acme.00".into(), ciphertext: vec![] },
            values: BTreeMap::new(),
            requested_at: Timestamp::EPOCH,
        })
    }

    fn sent(number: u64) -> Event {
        let provider = "log".into();
        Event::DeliverySent(DeliverySent {
            delivery_id: id(number),
            provider,
            sent_at: Timestamp::EPOCH,
        })
    }

    fn after(events: impl IntoIterator<Item = Event>, most: usize) -> Newest {
        let mut newest = Newest::default();
        for (event, position) in events.into_iter().zip(0..) {
            newest.evolve(Position(position), event, most);
        }
        newest
    }

    #[test]
    fn only_the_newest_are_kept() {
        let newest = after((1..=4).map(requested), 2);
        let kept: Vec<_> = newest.courses.values().map(|course| course.id).collect();
        assert_eq!(kept, [id(3), id(4)]);
        assert_eq!(newest.positions.len(), 2);
    }

    #[test]
    fn the_end_of_one_that_has_left_changes_nothing() {
        let newest = after([requested(1), requested(2), sent(1)], 1);
        let kept: Vec<_> = newest.courses.values().map(|course| (course.id, &course.end)).collect();
        assert_eq!(kept, [(id(2), &None)]);
        assert_eq!(newest.positions.len(), 1);
    }

    #[test]
    fn an_end_stays_at_the_place_of_the_beginning() {
        let newest = after([requested(1), requested(2), sent(1)], 2);
        let kept: Vec<_> =
            newest.courses.values().map(|course| (course.id, course.end.is_some())).collect();
        assert_eq!(kept, [(id(1), true), (id(2), false)]);
    }
}
