//! The durable consumer of one reactor: made if need be, asked for one event at a time.

use async_nats::{
    Message, Request, StatusCode,
    jetstream::{
        self,
        consumer::{AckPolicy, DeliverPolicy, Info, ReplayPolicy, pull},
    },
};
use countersign_eventsourcing::Filter;
use countersign_nats::{NatsAway, REQUEST_TIMEOUT};

use crate::{BusError, NatsBus};

/// A durable consumer.
pub(super) struct Durable {
    bus: NatsBus,
    name: String,
}

impl Durable {
    /// Makes the consumer `name`, or changes it to what is wanted now. A new one begins at the first event on the bus.
    pub(super) async fn ensure(
        bus: &NatsBus,
        name: &str,
        filter: &Filter,
    ) -> Result<Self, BusError> {
        bus.nats.ready(REQUEST_TIMEOUT).await.map_err(BusError::unavailable)?;
        let config = pull::Config {
            durable_name: Some(name.to_owned()),
            filter_subjects: bus.names.wanted(filter, name),
            deliver_policy: DeliverPolicy::All,
            ack_policy: AckPolicy::Explicit,
            replay_policy: ReplayPolicy::Instant,
            ack_wait: bus.settings.ack_wait,
            // Without end: an event that JetStream would give up stands on the bus, but nobody would be told.
            max_deliver: -1,
            ..pull::Config::default()
        };
        let made = bus.nats.jetstream().create_consumer_on_stream(config, bus.names.bus()).await;
        made.map_err(BusError::unavailable)?;
        Ok(Self { bus: bus.clone(), name: name.to_owned() })
    }

    /// Waits a little for the next event.
    pub(super) async fn pull(&self) -> Result<Option<jetstream::Message>, BusError> {
        let wait = self.bus.settings.pull_wait;
        let subject = format!("$JS.API.CONSUMER.MSG.NEXT.{}.{}", self.bus.names.bus(), self.name);
        let nanoseconds = u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX);
        let body = serde_json::json!({ "batch": 1, "expires": nanoseconds });
        let client = self.bus.nats.client();
        // What is given out keeps its own subject: the client finds who asked for it only by an inbox of its own.
        let request = Request::new()
            .inbox(client.new_inbox())
            .payload(body.to_string().into())
            .timeout(Some(wait + REQUEST_TIMEOUT));
        let answer = client.send_request(subject, request).await;
        let message = answer.map_err(BusError::unavailable)?;
        match message.status {
            None | Some(StatusCode::OK) => Ok(Some(self.given(message))),
            Some(StatusCode::TIMEOUT | StatusCode::NOT_FOUND) => Ok(None),
            Some(status) => {
                let what = message.description.as_deref().unwrap_or_default();
                let what = format!("the consumer answers {status}: {what}");
                Err(BusError::unavailable(NatsAway::new(what)))
            }
        }
    }

    fn given(&self, message: Message) -> jetstream::Message {
        jetstream::Message { message, context: self.bus.nats.jetstream().clone() }
    }

    /// Returns what JetStream knows of it.
    pub(super) async fn info(&self) -> Result<Info, BusError> {
        let stream = self.bus.stream(&self.bus.names.bus()).await?;
        stream.consumer_info(&self.name).await.map_err(BusError::unavailable)
    }
}
