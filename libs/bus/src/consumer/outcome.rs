//! A message, and telling JetStream what came of it.

use std::time::Duration;

use async_nats::{
    client::RequestErrorKind,
    jetstream::{self, AckKind},
};
use countersign_nats::{Nats, NatsAway};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{BusError, pause::Pause};

/// How long NATS may be away before an acknowledgement is given up: as long as a restart takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// The same while the process is to stop.
const PATIENCE_AT_THE_END: Duration = Duration::from_secs(5);

/// How often a server that is there may leave an acknowledgement without an answer. One that was killed may have
/// forgotten that it gave the event out; it gives it out again, and answers then.
const UNANSWERED: u32 = 2;

/// What JetStream says of a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Given {
    /// Its place on the bus.
    pub(super) sequence: u64,
    /// How often it was given out, this time included.
    pub(super) times: u32,
}

impl Given {
    pub(super) fn read(message: &jetstream::Message) -> Result<Self, BusError> {
        let info = message.info().map_err(BusError::boxed)?;
        let times = u32::try_from(info.delivered).unwrap_or(u32::MAX);
        Ok(Self { sequence: info.stream_sequence, times })
    }
}

/// Says that `message` is done with, until JetStream confirms it: unconfirmed, it would be done again.
pub(super) async fn done(
    nats: &Nats,
    message: &jetstream::Message,
    stop: &CancellationToken,
) -> Result<(), BusError> {
    let Some(reply) = message.reply.clone() else {
        return Err(BusError::unavailable(NatsAway::new("a message cannot be acknowledged")));
    };
    let mut pauses = Pause::new(Duration::from_millis(50), Duration::from_secs(1));
    let (began, mut unanswered) = (Instant::now(), 0);
    loop {
        let was_there = nats.is_connected();
        let Err(error) = nats.client().request(reply.clone(), "+ACK".into()).await else {
            return Ok(());
        };
        if was_there && nats.is_connected() && error.kind() == RequestErrorKind::TimedOut {
            unanswered += 1;
        }
        let patience = if stop.is_cancelled() { PATIENCE_AT_THE_END } else { PATIENCE };
        if unanswered >= UNANSWERED || began.elapsed() > patience {
            return Err(BusError::unavailable(error));
        }
        tokio::time::sleep(pauses.next()).await;
    }
}

/// Says that `message` is still worked at. If that does not get through, somebody else may be given it.
pub(super) async fn in_progress(message: &jetstream::Message) {
    if let Err(error) = message.ack_with(AckKind::Progress).await {
        tracing::debug!(error, "cannot say that an event is still worked at");
    }
}

/// Gives `message` back, for whoever asks after `pause`.
pub(super) async fn give_back(
    message: &jetstream::Message,
    pause: Duration,
) -> Result<(), BusError> {
    let pause = Some(pause).filter(|pause| !pause.is_zero());
    message.ack_with(AckKind::Nak(pause)).await.map_err(BusError::boxed)?;
    message.context.client().flush().await.map_err(BusError::unavailable)
}
