//! What the log holds that cannot be published: parked once, counted, and passed over.

use async_nats::{HeaderMap, jetstream::stream::LastRawMessageErrorKind};
use bytes::Bytes;
use countersign_eventsourcing::{LogId, Poison, Position, RecordedEvent};

use super::{Publisher, active::Session};
use crate::{
    BusError, Parked,
    dead::{Letter, park},
    message::{LOG, POSITION, headers_of, kept as kept_headers},
    names::PUBLISHER,
};

/// How often counting is tried while others count.
const TRIES: u32 = 8;

/// Something that cannot be published.
pub(super) struct Unpublished {
    position: Position,
    place: String,
    reason: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Unpublished {
    /// Something that the log cannot read.
    pub(super) fn of_poison(log: LogId, poison: Poison) -> Self {
        let Poison { position, place, what, bytes } = poison;
        let mut headers = HeaderMap::new();
        headers.insert(LOG, log.0.to_string());
        headers.insert(POSITION, position.to_string());
        Self { position, place, reason: what, headers, body: bytes }
    }

    /// An event that is larger than NATS takes.
    pub(super) fn of_event(log: LogId, event: &RecordedEvent) -> Self {
        let body = event.event.payload.clone();
        Self {
            position: event.position,
            place: format!("{} revision {}", event.stream, event.revision),
            reason: format!("the event has {} bytes, more than NATS takes at once", body.len()),
            headers: kept_headers(Some(&headers_of(log, event))),
            body,
        }
    }
}

impl Publisher {
    /// Parks `found`, unless it was before this publisher could keep that, and counts it.
    pub(super) async fn park(
        &self,
        session: &mut Session,
        found: Unpublished,
    ) -> Result<(), BusError> {
        let Unpublished { position, place, reason, headers, body } = found;
        tracing::error!(
            position = position.0,
            place,
            error = reason,
            "event passed over: it cannot be published"
        );
        if self.last_parked().await? < Some(position) {
            let id = format!("poison-{}-{position}", self.log.id().0);
            let (reason, place) = (&*reason, &*place);
            let letter = Letter { by: PUBLISHER, id, reason, subject: None, place, headers, body };
            park(&self.bus, letter).await?;
        }
        self.status.note(Parked { place, reason });
        self.count(session, position).await
    }

    /// Counts one at `position`, unless another publisher has.
    async fn count(&self, session: &mut Session, position: Position) -> Result<(), BusError> {
        for _ in 0..TRIES {
            if session.kept.position < Some(position.0) {
                session.kept.poison += 1;
            }
            let sequence = session.sequence();
            session.reached(position, sequence);
            self.keep(session).await?;
            if session.is_saved() {
                return Ok(());
            }
        }
        // What was parked stays parked; only the count may be short.
        Ok(())
    }

    /// Returns the place of what was parked last of this log.
    async fn last_parked(&self) -> Result<Option<Position>, BusError> {
        let stream = self.bus.stream(&self.bus.names.dead()).await?;
        let subject = self.bus.names.parked(PUBLISHER);
        let message = match stream.get_last_raw_message_by_subject(&subject).await {
            Ok(message) => message,
            Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => {
                return Ok(None);
            }
            Err(error) => return Err(BusError::unavailable(error)),
        };
        let get = |name| message.headers.get(name).map(async_nats::HeaderValue::as_str);
        let ours = get(LOG) == Some(&*self.log.id().0.to_string());
        Ok(get(POSITION).filter(|_| ours).and_then(|text| text.parse().ok()).map(Position))
    }
}
