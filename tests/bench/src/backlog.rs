//! A long log on JetStream, for replicas to catch up with.

use std::collections::BTreeMap;

use anyhow::Context as _;
use countersign_core::{DeliveryId, TenantId, Timestamp};
use countersign_crypto::Sealed;
use countersign_domain::delivery::{Delivery, DeliveryRequested, Event};
use countersign_eventlog::jetstream::JetStreamLog;
use countersign_eventsourcing::{
    Decider as _, EventCodec as _, EventLog as _, ExpectedRevision, Metadata, NewEvent, StreamId,
};
use countersign_nats::Nats;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use uuid::Uuid;

/// Events of one append, as many as an enrolment or a verification has.
pub(crate) const TOGETHER: usize = 2;

/// Appends under way at once.
const AT_ONCE: usize = 256;

/// Appends so many announcements of deliveries.
pub(crate) async fn fill(nats: Nats, events: usize) -> anyhow::Result<()> {
    let log = JetStreamLog::open(nats).await?;
    let log = &log;
    let appends = stream::iter(0..events.div_ceil(TOGETHER)).map(|number| async move {
        let stream = StreamId::new(Delivery::CATEGORY, &tenant()?, &format!("backlog-{number}"));
        let stream = stream.ok().context("a plain name")?;
        let announced: Vec<_> = (0..TOGETHER).map(|place| announcement(number, place)).collect();
        log.append(&stream, ExpectedRevision::NoStream, &announced).await?;
        anyhow::Ok(())
    });
    appends.buffer_unordered(AT_ONCE).try_collect::<()>().await
}

fn tenant() -> anyhow::Result<TenantId> {
    TenantId::parse("bench").ok().context("a plain name")
}

fn announcement(number: usize, place: usize) -> NewEvent {
    let id = (number as u128) << 32 | place as u128 | 1 << 120;
    let encoded = Delivery::encode(&Event::DeliveryRequested(DeliveryRequested {
        delivery_id: DeliveryId::new(Uuid::from_u128(id)),
        template: "authenticator_enrolled".into(),
        recipient: Sealed { key_id: "bench.00".into(), ciphertext: vec![7; 64] },
        values: BTreeMap::new(),
        requested_at: Timestamp::EPOCH,
    }));
    NewEvent {
        id: Uuid::from_u128(id),
        event_type: encoded.event_type.into(),
        schema_version: encoded.schema_version,
        payload: encoded.payload,
        metadata: Metadata {
            recorded_at: Timestamp::EPOCH,
            correlation_id: Uuid::from_u128(id),
            causation_id: Uuid::from_u128(number as u128),
            requester: "bench".into(),
            traceparent: "".into(),
            request_digest: 0,
        },
    }
}
