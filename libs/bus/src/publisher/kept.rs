//! What publishers keep beside the bus: one small message per log, replaced by each newer one.

use async_nats::jetstream::{
    context::PublishErrorKind, message::PublishMessage, stream::LastRawMessageErrorKind,
};
use countersign_eventsourcing::LogId;
use serde::{Deserialize, Serialize};

use crate::{BusError, NatsBus};

/// How far the publishers of one log have come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Kept {
    /// Everything up to here was published or parked; `None` if nothing was.
    pub(crate) position: Option<u64>,
    /// The bus's last message when that was so.
    pub(crate) sequence: u64,
    /// How many things the log holds that cannot be published.
    pub(crate) poison: u64,
    /// The bus's last message when this log began to be published, if those before are of another log and may hold the
    /// same events; `None` once everything that was in the log then has been passed.
    pub(crate) joined: Option<u64>,
    /// By which JetStream knows that nobody else has saved in the meantime.
    #[serde(skip)]
    pub(crate) version: u64,
}

/// What came of saving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Saved {
    /// It is kept.
    Yes,
    /// Somebody else has saved in the meantime.
    Overtaken,
}

/// Returns what is kept of `log`; nothing yet if it was never published.
pub(crate) async fn load(bus: &NatsBus, log: LogId) -> Result<Kept, BusError> {
    let subject = bus.names.published(&log.0.to_string());
    let stream = bus.stream(&bus.names.state()).await?;
    match stream.get_last_raw_message_by_subject(&subject).await {
        Ok(message) => {
            // What cannot be read counts as nothing: the bus itself says how far it has come.
            let kept: Kept = serde_json::from_slice(&message.payload).unwrap_or_default();
            Ok(Kept { version: message.sequence, ..kept })
        }
        Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => {
            Ok(Kept::default())
        }
        Err(error) => Err(BusError::unavailable(error)),
    }
}

/// Keeps `kept`, unless somebody else has saved since it was loaded.
pub(crate) async fn save(bus: &NatsBus, log: LogId, kept: &mut Kept) -> Result<Saved, BusError> {
    let subject = bus.names.published(&log.0.to_string());
    let body = serde_json::to_vec(kept).map_err(BusError::unavailable)?;
    let message =
        PublishMessage::build().payload(body.into()).expected_last_subject_sequence(kept.version);
    let sent = bus.nats.jetstream().send_publish(subject, message).await;
    match sent.map_err(BusError::unavailable)?.await {
        Ok(ack) => {
            kept.version = ack.sequence;
            Ok(Saved::Yes)
        }
        Err(error) if error.kind() == PublishErrorKind::WrongLastSequence => Ok(Saved::Overtaken),
        Err(error) => Err(BusError::unavailable(error)),
    }
}
