//! The followers of notification in a process of their own, and the provider that they hand messages to.

use std::{
    collections::{BTreeMap, VecDeque},
    future::ready,
    sync::Arc,
};

use async_trait::async_trait;
use countersign_core::TenantId;
use countersign_domain::delivery::{Delivery, Event};
use countersign_eventlog::memory::MemoryLog;
use countersign_eventsourcing::{
    Decider as _, EventCodec as _, EventLog, FollowError, MemoryCheckpoints, Reactor, Revision,
    StreamId, run_reactor,
};
use countersign_notification::{AccountNotices, DeliverySender};
use countersign_providers::{Cause, Channel, Message, Messenger, Receipt, SendError};
use countersign_service::Foundation;
use futures_util::TryStreamExt as _;
use parking_lot::Mutex;

use crate::{operation::Act, replica::TENANT};

/// The process of the followers. What is kept elsewhere outlives it: checkpoints and provider.
pub(crate) struct Notifier {
    log: Arc<dyn EventLog>,
    notices: AccountNotices,
    sender: DeliverySender,
    checkpoints: Arc<MemoryCheckpoints>,
}

impl Notifier {
    pub(crate) fn start(
        log: Arc<dyn EventLog>,
        foundation: Foundation,
        checkpoints: Arc<MemoryCheckpoints>,
        provider: Arc<Provider>,
    ) -> Self {
        let foundation = Arc::new(foundation);
        Self {
            log,
            notices: AccountNotices::new(Arc::clone(&foundation)),
            sender: DeliverySender::new(foundation, provider),
            checkpoints,
        }
    }

    /// Announces what there is to announce.
    pub(crate) async fn announce(&self) -> Result<(), FollowError> {
        self.round(&self.notices).await
    }

    /// Hands over what is announced.
    pub(crate) async fn send(&self) -> Result<(), FollowError> {
        self.round(&self.sender).await
    }

    /// Does once what a bus does for ever: goes on from the checkpoint, told to stop as soon as there is nothing to do.
    async fn round(&self, reactor: &dyn Reactor) -> Result<(), FollowError> {
        run_reactor(&self.log, reactor, &*self.checkpoints, ready(())).await
    }

    /// Returns how many events were given up.
    pub(crate) fn passed_over(&self) -> u64 {
        self.notices.passed_over().count() + self.sender.passed_over().count()
    }
}

/// A provider that remembers what it was given, and looks into the log whenever it is.
pub(crate) struct Provider {
    truth: Arc<MemoryLog>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    acts: VecDeque<Act>,
    /// How often each delivery was offered, and how often taken.
    offered: BTreeMap<String, Offers>,
    busy: usize,
    /// Deliveries that must not have been offered.
    wrong: Vec<String>,
}

/// What became of a delivery's message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Offers {
    pub(crate) made: usize,
    pub(crate) taken: usize,
}

impl Provider {
    pub(crate) fn new(truth: Arc<MemoryLog>) -> Self {
        Self { truth, state: Mutex::default() }
    }

    pub(crate) fn will(&self, act: Act) {
        self.state.lock().acts.push_back(act);
    }

    pub(crate) fn recover(&self) {
        self.state.lock().acts.clear();
    }

    /// Returns how often it could not take a message.
    pub(crate) fn busy(&self) -> usize {
        self.state.lock().busy
    }

    pub(crate) fn wrong(&self) -> Vec<String> {
        self.state.lock().wrong.clone()
    }

    pub(crate) fn offers(&self) -> BTreeMap<String, Offers> {
        self.state.lock().offered.clone()
    }

    /// Returns whether the log announces a delivery, and does not say that it ended.
    async fn is_due(&self, delivery_id: &str) -> bool {
        let tenant = TenantId::parse(TENANT).unwrap();
        let stream = StreamId::new(Delivery::CATEGORY, &tenant, delivery_id).unwrap();
        let events = self.truth.read(&stream, Revision::START).await.unwrap();
        let events: Vec<_> = events.try_collect().await.unwrap();
        let decoded = events.iter().map(|recorded| {
            let event = &recorded.event;
            Delivery::decode(&event.event_type, event.schema_version, &event.payload).unwrap()
        });
        matches!(decoded.collect::<Vec<_>>()[..], [Event::DeliveryRequested(_)])
    }
}

#[async_trait]
impl Messenger for Provider {
    fn name(&self) -> &'static str {
        "double"
    }

    fn channels(&self) -> &'static [Channel] {
        &[Channel::Platform]
    }

    async fn send(&self, message: &Message) -> Result<Receipt, SendError> {
        let is_due = self.is_due(&message.delivery_id).await;
        let mut state = self.state.lock();
        if !is_due {
            state.wrong.push(message.delivery_id.to_string());
        }
        let act = state.acts.pop_front();
        let offers = state.offered.entry(message.delivery_id.to_string()).or_default();
        offers.made += 1;
        match act {
            None => {
                offers.taken += 1;
                Ok(Receipt { reference: None })
            }
            Some(Act::Busy) => {
                state.busy += 1;
                Err(SendError::Retry(Cause::new("busy")))
            }
            Some(Act::Refuse) => Err(SendError::Refused(Cause::new("refused"))),
            Some(Act::Vanish) => {
                offers.taken += 1;
                Err(SendError::Unknown(Cause::new("no answer")))
            }
        }
    }
}
