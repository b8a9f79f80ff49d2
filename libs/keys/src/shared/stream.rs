//! The stream of data keys in JetStream: what is asked of it, and nothing about what that means.

use std::time::Duration;

use async_nats::jetstream::{
    Message,
    consumer::{AckPolicy, DeliverPolicy, pull},
    context::PublishErrorKind,
    message::PublishMessage,
    stream::{LastRawMessageErrorKind, Stream},
};
use countersign_core::UserKey;
use countersign_nats::{Nats, NatsAway};
use futures_util::StreamExt as _;

use crate::{
    KeyProblem, VaultError,
    store::{Content, OTHER_USER, SLOT_LEN, Slot},
};

/// How long a caller waits for the connection. Nothing is sent without one: the client would keep it, and send it when
/// nobody waits for the answer any more.
const CONNECTION_PATIENCE: Duration = Duration::from_secs(1);
/// How long a consumer stays when nobody asks it.
const CONSUMER_STAYS: Duration = Duration::from_secs(30);
/// How long one request for messages stands, and how often the server says meanwhile that it is there.
const PULL: Duration = Duration::from_secs(10);
const HEARTBEAT: Duration = Duration::from_secs(2);

/// The stream of data keys: one subject per user, whose last message is the user's key or says that it was erased.
#[derive(Clone, Debug)]
pub(crate) struct KeyStream {
    pub(crate) nats: Nats,
    pub(crate) name: String,
    stream: Stream<()>,
}

/// A message as it is stored.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) sequence: u64,
    subject: String,
    /// Whom the subject names.
    pub(crate) user: Option<UserKey>,
    /// What it holds, or what is wrong with it.
    pub(crate) slot: Result<Slot, &'static str>,
}

impl Stored {
    /// Names the message for people.
    pub(crate) fn place(&self) -> String {
        format!("{} message {}", self.subject, self.sequence)
    }

    pub(crate) fn problem(&self, what: &'static str) -> KeyProblem {
        KeyProblem::new(self.place(), what)
    }

    pub(crate) fn damaged(&self, what: &'static str) -> VaultError {
        VaultError::damaged(self.place(), what)
    }

    pub(crate) fn is_erased(&self) -> bool {
        self.slot.is_ok_and(|slot| matches!(slot.content, Content::Erased { .. }))
    }
}

/// What became of a message that was sent.
#[derive(Debug)]
pub(crate) enum Put {
    /// It is stored, as this sequence, on as many servers as must have it.
    Stored(u64),
    /// It is not stored: the user's last message is another than was expected.
    Conflict,
    /// It may be stored.
    Unknown(NatsAway),
}

impl KeyStream {
    /// Names the stream, which need not be there.
    pub(crate) async fn of(nats: &Nats) -> Result<Self, VaultError> {
        let name = format!("{}_keys", nats.prefix());
        let stream = nats.jetstream().get_stream_no_info(&name).await;
        Ok(Self { nats: nats.clone(), stream: stream.map_err(VaultError::unavailable)?, name })
    }

    /// Waits for the connection a little.
    pub(crate) async fn ready(&self) -> Result<(), VaultError> {
        self.nats.ready(CONNECTION_PATIENCE).await.map_err(VaultError::unavailable)
    }

    fn subject(&self, user: UserKey) -> String {
        format!("{}.{user}", self.name)
    }

    /// Asks the stream's leader for a user's last message; other servers may not have it yet.
    pub(crate) async fn last(&self, user: UserKey) -> Result<Option<Stored>, VaultError> {
        self.ready().await?;
        let asked = self.stream.raw_message_builder().last_by_subject(self.subject(user));
        self.found(asked.send().await)
    }

    /// Asks the stream's leader for a user's first message that is still there.
    pub(crate) async fn first(&self, user: UserKey) -> Result<Option<Stored>, VaultError> {
        self.ready().await?;
        let asked = self.stream.raw_message_builder().sequence(1);
        self.found(asked.next_by_subject(self.subject(user)).send().await)
    }

    /// Asks the stream's leader for the sequence of the last message of all; 0 if there is none.
    pub(crate) async fn end(&self) -> Result<u64, VaultError> {
        self.ready().await?;
        let asked = self.stream.raw_message_builder().last_by_subject(format!("{}.*", self.name));
        Ok(self.found(asked.send().await)?.map_or(0, |stored| stored.sequence))
    }

    /// Returns whether some user has more than one message, as a user has whose erasure was interrupted.
    pub(crate) async fn has_doubles(&self) -> Result<bool, VaultError> {
        self.ready().await?;
        let state = self.stream.get_info().await.map_err(VaultError::unavailable)?.state;
        Ok(state.messages > state.subjects_count)
    }

    fn found(
        &self,
        answer: Result<
            async_nats::jetstream::message::StreamMessage,
            async_nats::jetstream::stream::RawMessageError,
        >,
    ) -> Result<Option<Stored>, VaultError> {
        match answer {
            Ok(found) => Ok(Some(self.stored(&found.subject, found.sequence, &found.payload))),
            Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(None),
            Err(error) => Err(VaultError::unavailable(NatsAway::new(error))),
        }
    }

    fn stored(&self, subject: &str, sequence: u64, payload: &[u8]) -> Stored {
        let user = subject.strip_prefix(self.name.as_str());
        let user = user.and_then(|rest| rest.strip_prefix('.')?.parse::<UserKey>().ok());
        let slot =
            <&[u8; SLOT_LEN]>::try_from(payload).map_err(|_| "it has not the length of a key");
        let slot = slot.and_then(|bytes| Slot::parse(bytes).map_err(|error| error.what()));
        let slot = slot.and_then(|slot| match slot.content {
            _ if Some(slot.user) != user => Err(OTHER_USER),
            Content::Erased { wiped: false } => Err("it has bytes where there are none"),
            Content::Key(_) | Content::Erased { wiped: true } => Ok(slot),
        });
        Stored { sequence, subject: subject.to_owned(), user, slot }
    }

    /// Sends a user's next message, to be stored if the last one is message `expected`, 0 being none.
    pub(crate) async fn put(&self, slot: &Slot, expected: u64) -> Result<Put, VaultError> {
        self.ready().await?;
        let message = PublishMessage::build()
            .payload(slot.encode().to_vec().into())
            .expected_last_subject_sequence(expected);
        let sent = self.nats.jetstream().send_publish(self.subject(slot.user), message).await;
        let answer = match sent {
            Ok(answer) => answer.await,
            Err(error) => return Err(VaultError::unavailable(NatsAway::new(error))),
        };
        match answer {
            Ok(answer) => Ok(Put::Stored(answer.sequence)),
            Err(error) if error.kind() == PublishErrorKind::WrongLastSequence => Ok(Put::Conflict),
            // Among them the false conflict of a cluster in which another message is on its way.
            Err(error) => Ok(Put::Unknown(NatsAway::new(error))),
        }
    }

    /// Removes a message and overwrites its bytes where it is stored.
    pub(crate) async fn delete(&self, sequence: u64) -> Result<(), VaultError> {
        self.ready().await?;
        // Without `no_erase`, which the server takes for false.
        let deleted = self.stream.delete_message(sequence).await;
        deleted.map(drop).map_err(|error| VaultError::unavailable(NatsAway::new(error)))
    }

    /// Reads all messages from `sequence` on, and those to come.
    pub(crate) async fn read(&self, sequence: u64) -> Result<Reading, VaultError> {
        self.ready().await?;
        let failed = |error| VaultError::unavailable(NatsAway::new(error));
        let config = pull::Config {
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: sequence.max(1) },
            ack_policy: AckPolicy::None,
            inactive_threshold: CONSUMER_STAYS,
            memory_storage: true,
            num_replicas: 1,
            ..pull::Config::default()
        };
        let consumer = self.stream.create_consumer(config).await;
        let consumer = consumer.map_err(|error| failed(error.to_string()))?;
        let messages = consumer.stream().expires(PULL).heartbeat(HEARTBEAT).messages().await;
        let messages = messages.map_err(|error| failed(error.to_string()))?;
        Ok(Reading { stream: self.clone(), messages, delivered: 0 })
    }
}

/// Messages one after the other, none left out.
pub(crate) struct Reading {
    stream: KeyStream,
    messages: pull::Stream,
    delivered: u64,
}

impl Reading {
    /// Waits for the next message. After an error nothing more comes: read again from where this ended.
    pub(crate) async fn next(&mut self) -> Result<Stored, VaultError> {
        let failed = |what: String| VaultError::unavailable(NatsAway::new(what));
        let next = self.messages.next().await;
        let next = next.ok_or_else(|| failed("the consumer ended".to_owned()))?;
        let message: Message = next.map_err(|error| failed(error.to_string()))?;
        let place = message.info().map_err(|error| failed(error.to_string()))?;
        // Whoever acknowledges nothing is not sent again what a broken connection lost.
        if place.consumer_sequence != self.delivered + 1 {
            return Err(failed("messages were lost on the way".to_owned()));
        }
        self.delivered += 1;
        Ok(self.stream.stored(&message.subject, place.stream_sequence, &message.payload))
    }
}
