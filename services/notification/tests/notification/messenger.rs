//! A provider that does as it is told, and looks into the log whenever it is called.

use std::{collections::VecDeque, sync::Arc};

use async_trait::async_trait;
use countersign_eventsourcing::{EventLog, Revision, StreamId};
use countersign_providers::{Channel, Message, Messenger, Receipt, SendError};
use futures_util::TryStreamExt as _;
use parking_lot::Mutex;

use crate::world::tenant;

/// What the provider does with a message.
pub(crate) enum Act {
    Fail(SendError),
    /// Never answers.
    Hang,
}

/// One call.
pub(crate) struct Call {
    pub(crate) message: Message,
    /// The types of events in the delivery's stream while the provider was asked.
    pub(crate) log_held: Vec<String>,
}

pub(crate) struct Provider {
    log: Arc<dyn EventLog>,
    /// What it does with the next messages; then it takes every one.
    pub(crate) acts: Mutex<VecDeque<Act>>,
    pub(crate) calls: Mutex<Vec<Call>>,
    pub(crate) channels: Mutex<&'static [Channel]>,
}

impl Provider {
    pub(crate) fn new(log: Arc<dyn EventLog>) -> Self {
        Self {
            log,
            acts: Mutex::default(),
            calls: Mutex::default(),
            channels: Mutex::new(&[Channel::Platform]),
        }
    }

    pub(crate) fn will(&self, acts: impl IntoIterator<Item = Act>) {
        self.acts.lock().extend(acts);
    }

    /// Returns template and recipient of each call.
    pub(crate) fn was_given(&self) -> Vec<(String, String)> {
        let calls = self.calls.lock();
        let given = calls.iter().map(|call| {
            (call.message.template.to_string(), call.message.recipient.expose().to_owned())
        });
        given.collect()
    }
}

#[async_trait]
impl Messenger for Provider {
    fn name(&self) -> &'static str {
        "double"
    }

    fn channels(&self) -> &'static [Channel] {
        *self.channels.lock()
    }

    async fn send(&self, message: &Message) -> Result<Receipt, SendError> {
        let stream = StreamId::new("deliveries", &tenant("acme"), &message.delivery_id).unwrap();
        let events = self.log.read(&stream, Revision::START).await.unwrap();
        let log_held = events.map_ok(|recorded| recorded.event.event_type.into_owned());
        let log_held = log_held.try_collect().await.unwrap();
        self.calls.lock().push(Call { message: message.clone(), log_held });
        let act = self.acts.lock().pop_front();
        match act {
            None => Ok(Receipt { reference: Some("reference-1".into()) }),
            Some(Act::Fail(error)) => Err(error),
            Some(Act::Hang) => std::future::pending().await,
        }
    }
}
