//! What the log holds, as an auditor sees it.

use countersign_proto::audit::{RecordedEvent, ReplayEventsRequest, replay_events_response::Item};
use std::time::{Duration, Instant};

use prost::Message;
use tonic::{Code, Status};

use crate::{Caller, Tenant};

/// How long the log may be away: far longer than a fail-over takes.
const PATIENCE: Duration = Duration::from_secs(60);

const PAUSE: Duration = Duration::from_millis(200);

impl Caller {
    /// Replays the events that `request` asks for, to the end.
    pub async fn replay(&self, request: ReplayEventsRequest) -> Vec<RecordedEvent> {
        self.try_replay(request).await.unwrap()
    }

    /// Replays like [`replay`](Self::replay), but asks again while the log is away, as whoever broke it must: for some
    /// seconds after a fail-over NATS has nobody who starts followers.
    pub async fn replay_in_the_end(&self, request: ReplayEventsRequest) -> Vec<RecordedEvent> {
        let began = Instant::now();
        loop {
            match self.try_replay(request.clone()).await {
                Ok(events) => return events,
                Err(status) => {
                    let is_away = status.code() == Code::Unavailable;
                    assert!(is_away && began.elapsed() < PATIENCE, "{status:?}");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    async fn try_replay(&self, request: ReplayEventsRequest) -> Result<Vec<RecordedEvent>, Status> {
        let mut items = self.audit().replay_events(request).await?.into_inner();
        let mut events = Vec::new();
        while let Some(item) = items.message().await? {
            match item.item {
                Some(Item::Event(event)) => events.push(event),
                other => panic!("a replay to the end holds nothing but events, not {other:?}"),
            }
        }
        Ok(events)
    }

    /// Returns how many events the log holds that requests caused; what follows the log adds others by itself.
    pub async fn requested_events(&self) -> usize {
        let events = self.replay(ReplayEventsRequest::default()).await;
        let is_asked = |event: &&RecordedEvent| {
            !event.stream.starts_with("deliveries-")
                && event.r#type != "ApiKeyUsed"
                && event.requester != "service:keys"
        };
        events.iter().filter(is_asked).count()
    }
}

impl Tenant {
    /// Returns the types of all events of `user` in the order of the log.
    pub async fn history(&self, user: &str) -> Vec<String> {
        let request = ReplayEventsRequest { user_id: user.to_owned(), ..Default::default() };
        self.auditor.replay(request).await.into_iter().map(|event| event.r#type).collect()
    }

    /// Returns the events of one type of `user`; `M` is the message of that name.
    pub async fn events<M: Message + Default>(&self, user: &str, event_type: &str) -> Vec<M> {
        let request = ReplayEventsRequest {
            user_id: user.to_owned(),
            event_types: vec![event_type.to_owned()],
            ..Default::default()
        };
        let events = self.auditor.replay(request).await;
        let payloads = events.into_iter().map(|event| event.payload.unwrap().value);
        payloads.map(|payload| M::decode(&*payload).unwrap()).collect()
    }

    /// Returns how many events of one type `user` has.
    pub async fn count(&self, user: &str, event_type: &str) -> usize {
        self.history(user).await.iter().filter(|known| *known == event_type).count()
    }
}
