//! Messages on the bus that nobody of ours published.

use std::sync::Arc;

use async_nats::HeaderMap;
use countersign_bus::headers_of;
use countersign_eventsourcing::{EventLog as _, Filter, Position};

use crate::{
    reactors::Recorder,
    world::{World, eventually},
};

async fn publish(world: &World, subject: &'static str, headers: HeaderMap) {
    let nats = world.nats().await;
    let sent = nats.jetstream().publish_with_headers(subject, headers, "junk".into()).await;
    sent.unwrap().await.unwrap();
}

#[tokio::test]
async fn what_is_no_event_is_parked_and_stops_nothing() {
    let world = World::new().await;
    world.log.grow(2);
    world.publish_everything().await;
    let event = &world.log.events()[0];
    publish(&world, "countersign.acme.deliveries.Requested", HeaderMap::new()).await;
    let mut broken = headers_of(world.log.id(), event);
    broken.insert("Countersign-Event-Id", "not a uuid");
    broken.insert("Nats-Msg-Id", "x");
    publish(&world, "countersign.acme.deliveries.Requested", broken).await;
    let mut misplaced = headers_of(world.log.id(), event);
    misplaced.insert("Nats-Msg-Id", "y");
    publish(&world, "countersign.acme.signins.Requested", misplaced).await;
    world.log.grow(2);
    world.publish_everything().await;

    let recorder = Recorder::new(Filter::default());
    let consumer = world.consumer(Arc::clone(&recorder) as _).await;
    let letters = world.bus.dead_letters();
    eventually("all are done", async || recorder.done().len() == 4).await;
    eventually("three are parked", async || letters.list(0, 9).await.unwrap().len() == 3).await;
    consumer.stopped().await;
    assert_eq!(recorder.done(), world.log.events());
    let reasons: Vec<_> =
        letters.list(0, 9).await.unwrap().into_iter().map(|letter| letter.reason).collect();
    assert_eq!(
        reasons,
        [
            "the header `Countersign-Recorded-At` is missing",
            "the header `Countersign-Event-Id` cannot be read",
            "the subject is not that of the event in the headers",
        ]
    );
}

#[tokio::test]
async fn a_message_that_claims_a_place_in_the_log_does_not_make_the_publisher_skip_any() {
    let world = World::new().await;
    world.log.grow(2);
    world.publish_everything().await;
    let mut forged = world.log.events().remove(0);
    forged.position = Position(5);
    let mut headers = headers_of(world.log.id(), &forged);
    headers.insert("Nats-Msg-Id", "x");
    publish(&world, "countersign.acme.deliveries.Requested", headers).await;
    world.log.grow(8);
    world.publish_everything().await;
    let mut places: Vec<_> = world.published().await.iter().map(|(_, e)| e.position.0).collect();
    assert_eq!(places.remove(2), 5);
    assert_eq!(places, (0..10).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_message_in_the_way_of_an_active_publisher_does_not_stop_it() {
    let world = World::new().await;
    let publisher = world.publisher().await;
    for _ in 0..3 {
        world.log.grow(5);
        publisher.caught_up(&world.log).await;
        publish(&world, "countersign.acme.deliveries.Requested", HeaderMap::new()).await;
    }
    world.log.grow(5);
    publisher.caught_up(&world.log).await;
    world.assert_complete().await;
}
