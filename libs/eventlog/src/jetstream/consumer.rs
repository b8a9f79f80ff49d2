//! A JetStream consumer that is watched: whatever it does not deliver, and whatever shows that it might not have, is told.

use std::{
    fmt,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use async_nats::{
    Message, Statistics, Subscriber,
    jetstream::consumer::{
        AckPolicy, DeliverPolicy,
        pull::{BatchConfig, Config},
    },
};
use countersign_nats::NatsAway;
use futures_util::StreamExt as _;
use tokio::{
    runtime::Handle,
    time::{Instant, timeout, timeout_at},
};

use super::server::{Server, ServerError, Stored};

/// How many messages are asked for at once. Two requests are under way, so that none waits for the other.
const BATCH: usize = 2500;

/// How many bytes are asked for at once. A message that has more would never come.
const BATCH_BYTES: usize = 8 * 1024 * 1024;

/// How long a request waits for messages.
const EXPIRES: Duration = Duration::from_secs(30);

/// How often the server says that it is there, when there are no messages.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// How long it may be silent.
const SILENCE: Duration = Duration::from_secs(3);

/// How often it is looked whether the connection is still the same one.
const GLANCE: Duration = Duration::from_millis(250);

/// How long the server keeps a consumer that nobody asks.
const ABANDONED: Duration = Duration::from_secs(30);

/// What a consumer told.
#[derive(Debug)]
pub(super) enum Told {
    /// The next message.
    Message(Stored),
    /// That there is none.
    Nothing,
}

/// Why a consumer cannot be gone on with: messages may have been lost.
#[derive(Debug, thiserror::Error)]
#[error("the consumer is lost: {0}")]
pub(super) struct Lost(String);

type PullConsumer = async_nats::jetstream::consumer::Consumer<Config>;

/// Delivers messages in order, without any missing.
pub(super) struct Consumer {
    server: Server,
    consumer: PullConsumer,
    inbox: String,
    answers: Subscriber,
    /// How many messages it has delivered.
    delivered: u64,
    /// How many more it was asked for.
    asked: usize,
    statistics: Arc<Statistics>,
    /// Which of the client's connections it was made on.
    connection: u64,
}

impl fmt::Debug for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer").field("inbox", &self.inbox).finish_non_exhaustive()
    }
}

impl Consumer {
    /// Makes a consumer of messages with `subjects` from number `sequence` on.
    pub(super) async fn create(
        server: &Server,
        subjects: Vec<String>,
        sequence: u64,
        deadline: Instant,
    ) -> Result<Self, ServerError> {
        let config = Config {
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: sequence.max(1) },
            ack_policy: AckPolicy::None,
            filter_subjects: subjects,
            inactive_threshold: ABANDONED,
            num_replicas: 1,
            memory_storage: true,
            ..Config::default()
        };
        let client = server.nats.client();
        let statistics = client.statistics();
        let connection = statistics.connects.load(Ordering::Relaxed);
        let inbox = client.new_inbox();
        let made = async {
            let answers = client.subscribe(inbox.clone()).await;
            let answers = answers.map_err(NatsAway::new)?;
            let stream = server.names.stream();
            let made = server.nats.jetstream().create_consumer_on_stream(config, stream).await;
            let consumer = made.map_err(|error| ServerError::Refused(error.to_string()))?;
            Ok::<_, ServerError>((answers, consumer))
        };
        let (answers, consumer) =
            timeout_at(deadline, made).await.map_err(|_| ServerError::Unanswered)??;
        let server = server.clone();
        Ok(Self {
            server,
            consumer,
            inbox,
            answers,
            delivered: 0,
            asked: 0,
            statistics,
            connection,
        })
    }

    /// Returns what it tells next.
    pub(super) async fn next(&mut self) -> Result<Told, Lost> {
        loop {
            self.ask().await?;
            let answer = self.answer().await?;
            if answer.reply.is_some() {
                return self.message(answer).map(Told::Message);
            }
            if self.status(&answer)? {
                return Ok(Told::Nothing);
            }
        }
    }

    /// Waits for what comes next, and for signs that nothing will.
    async fn answer(&mut self) -> Result<Message, Lost> {
        let silent_at = Instant::now() + SILENCE;
        loop {
            let answer = timeout(GLANCE, self.answers.next()).await;
            // What was on its way when a connection broke counts as delivered, and is gone.
            if self.statistics.connects.load(Ordering::Relaxed) != self.connection {
                return Err(Lost("the connection was another one".to_owned()));
            }
            match answer {
                Ok(answer) => {
                    return answer.ok_or_else(|| Lost("the subscription ended".to_owned()));
                }
                Err(_) if Instant::now() < silent_at => {}
                Err(_) => return Err(Lost("it fell silent".to_owned())),
            }
        }
    }

    async fn ask(&mut self) -> Result<(), Lost> {
        if self.asked > BATCH {
            return Ok(());
        }
        let bytes = BATCH_BYTES.max(2 * self.server.nats.client().max_payload());
        let batch = BatchConfig {
            batch: BATCH,
            max_bytes: bytes,
            expires: Some(EXPIRES),
            idle_heartbeat: HEARTBEAT,
            ..BatchConfig::default()
        };
        let asked = self.consumer.request_batch(batch, self.inbox.as_str().into());
        let asked = timeout(SILENCE, asked).await;
        let asked = asked.map_err(|_| Lost("the connection takes no request".to_owned()))?;
        asked.map_err(|error| Lost(error.to_string()))?;
        self.asked += BATCH;
        Ok(())
    }

    /// Takes a message, whose reply subject says where it stands.
    fn message(&mut self, message: Message) -> Result<Stored, Lost> {
        let context = self.server.nats.jetstream().clone();
        let message = async_nats::jetstream::Message { message, context };
        let (sequence, in_consumer) = {
            let place = message.info().map_err(|error| Lost(error.to_string()))?;
            (place.stream_sequence, place.consumer_sequence)
        };
        if in_consumer != self.delivered + 1 {
            let before = self.delivered;
            return Err(Lost(format!("after message {before} it delivered {in_consumer}")));
        }
        self.delivered = in_consumer;
        self.asked = self.asked.saturating_sub(1);
        let message = message.message;
        let subject = message.subject.as_str().to_owned();
        Ok(Stored { sequence, subject, body: message.payload })
    }

    /// Takes what is not a message; returns whether it says that there is none.
    fn status(&mut self, answer: &Message) -> Result<bool, Lost> {
        let status = answer.status.map_or(0, |status| status.as_u16());
        let description = answer.description.as_deref().unwrap_or_default();
        let number = |name: &str| -> Option<u64> {
            answer.headers.as_ref()?.get(name)?.as_str().parse().ok()
        };
        match (status, description) {
            (100, _) => {
                let last = number("Nats-Last-Consumer").unwrap_or(self.delivered);
                if last != self.delivered {
                    let before = self.delivered;
                    return Err(Lost(format!("it delivered {last} messages, and {before} came")));
                }
                Ok(true)
            }
            // A request has ended, as requests do.
            (408, "Request Timeout" | "Interest Expired")
            | (409, "Batch Completed" | "Message Size Exceeds MaxBytes") => {
                let open = number("Nats-Pending-Messages").and_then(|n| usize::try_from(n).ok());
                self.asked = self.asked.saturating_sub(open.unwrap_or(self.asked));
                Ok(false)
            }
            _ => Err(Lost(format!("status {status} {description}"))),
        }
    }
}

impl Drop for Consumer {
    /// Lets the server forget it at once rather than by and by.
    fn drop(&mut self) {
        let Ok(runtime) = Handle::try_current() else { return };
        let name = &self.consumer.cached_info().name;
        let subject = format!("CONSUMER.DELETE.{}.{name}", self.server.names.stream());
        let context = self.server.nats.jetstream().clone();
        if self.server.nats.is_connected() {
            runtime.spawn(async move {
                let request = async_nats::Request::new();
                // The answer goes nowhere; a consumer that stays is removed when it is abandoned.
                drop(timeout(SILENCE, context.send_request(subject, request)).await);
            });
        }
    }
}
