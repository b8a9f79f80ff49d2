//! Parking.

use async_nats::{HeaderMap, jetstream::message::PublishMessage};
use bytes::Bytes;

use super::{CUT, PLACE, REASON, SUBJECT};
use crate::{BusError, NatsBus, escape};

/// Room for the headers of a letter: larger than they can be.
const HEADER_ROOM: usize = 64 * 1024;

/// Longest reason that is kept, in characters.
const LONGEST_REASON: usize = 1024;

/// What is parked.
#[derive(Debug)]
pub(crate) struct Letter<'a> {
    /// Who parks it.
    pub(crate) by: &'a str,
    /// The same whenever the same thing is parked again.
    pub(crate) id: String,
    /// Why.
    pub(crate) reason: &'a str,
    /// Where it was published; `None` if it was never on the bus.
    pub(crate) subject: Option<&'a str>,
    /// Where it stood.
    pub(crate) place: &'a str,
    /// What is known of the event.
    pub(crate) headers: HeaderMap,
    /// Its bytes.
    pub(crate) body: Bytes,
}

/// Parks `letter`; on success it is kept for good.
pub(crate) async fn park(bus: &NatsBus, letter: Letter<'_>) -> Result<(), BusError> {
    let Letter { by, id, reason, subject, place, mut headers, mut body } = letter;
    let reason: String = reason.chars().take(LONGEST_REASON).collect();
    headers.insert(REASON, escape::value(&reason));
    headers.insert(PLACE, escape::value(place));
    if let Some(subject) = subject {
        headers.insert(SUBJECT, escape::value(subject));
    }
    let room = bus.nats.client().server_info().max_payload.saturating_sub(HEADER_ROOM);
    if body.len() > room {
        headers.insert(CUT, (body.len() - room).to_string());
        body.truncate(room);
    }
    let message = PublishMessage::build().headers(headers).payload(body).message_id(id);
    let sent = bus.nats.jetstream().send_publish(bus.names.parked(by), message).await;
    sent.map_err(BusError::unavailable)?.await.map_err(BusError::unavailable)?;
    Ok(())
}
