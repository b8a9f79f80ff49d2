//! Every event once, in order.

use std::time::Duration;

use bytes::Bytes;
use countersign_bus::{BusError, NatsBus};
use countersign_eventsourcing::Position;
use countersign_testkit::NatsServer;

use crate::world::{World, eventually};

#[tokio::test]
async fn every_event_is_published_once_and_comes_back_exactly() {
    let world = World::new().await;
    world.log.grow(1500);
    let publisher = world.publisher().await;
    publisher.caught_up(&world.log).await;
    world.log.grow(100);
    publisher.caught_up(&world.log).await;
    world.assert_complete().await;
    let report = publisher.report();
    assert!(report.active);
    assert_eq!((report.lag(), report.poison, report.trouble), (0, 0, None));
    let (log, _) = world.published().await.remove(0);
    assert_eq!(log, countersign_eventsourcing::EventLog::id(&*world.log));
}

#[tokio::test]
async fn a_publisher_that_begins_again_goes_on_where_the_bus_ends() {
    let world = World::new().await;
    for _ in 0..3 {
        world.log.grow(40);
        world.publish_everything().await;
    }
    world.assert_complete().await;
}

#[tokio::test]
async fn what_has_aged_out_of_the_bus_is_not_published_again() {
    let world = World::keeping(Duration::from_secs(1)).await;
    world.log.grow(50);
    world.publish_everything().await;
    eventually("everything ages out", async || {
        world.stream().await.cached_info().state.messages == 0
    })
    .await;
    let publisher = world.publisher().await;
    publisher.caught_up(&world.log).await;
    world.log.grow(1);
    publisher.caught_up(&world.log).await;
    assert_eq!(world.stream().await.cached_info().state.last_sequence, 51);
}

#[tokio::test]
async fn what_the_log_cannot_read_is_parked_once_and_holds_nothing_up() {
    let world = World::new().await;
    world.log.grow(3);
    world.log.spoil("the checksum is wrong");
    world.log.grow(2);
    world.log.spoil("the format is not known");
    for _ in 0..2 {
        let publisher = world.publisher().await;
        publisher.caught_up(&world.log).await;
        assert_eq!(publisher.report().poison, 2);
        publisher.stopped().await;
    }
    world.assert_complete().await;
    let letters = world.bus.dead_letters().list(0, 10).await.unwrap();
    let told: Vec<_> = letters
        .iter()
        .map(|letter| (&*letter.parked_by, &*letter.reason, &*letter.place, letter.position))
        .collect();
    assert_eq!(
        told,
        [
            ("publisher", "the checksum is wrong", "subject 3", Some(Position(3))),
            ("publisher", "the format is not known", "subject 6", Some(Position(6))),
        ]
    );
    assert_eq!(letters[0].body, Bytes::from_static(b"\0bad"));
    let requeued = world.bus.dead_letters().requeue(letters[0].sequence).await;
    assert!(matches!(requeued, Err(BusError::NotForAConsumer(_))));
}

#[tokio::test]
async fn an_event_larger_than_nats_takes_is_parked_too() {
    let world = World::new().await;
    world.log.grow(1);
    world.log.add(Bytes::from(vec![7; 9 << 20]));
    world.log.grow(1);
    world.publish_everything().await;
    let places: Vec<_> = world.published().await.iter().map(|(_, e)| e.position.0).collect();
    assert_eq!(places, [0, 2]);
    let letters = world.bus.dead_letters().list(0, 10).await.unwrap();
    assert_eq!((letters.len(), letters[0].position), (1, Some(Position(1))));
    assert!(letters[0].cut > 0);
}

#[tokio::test]
async fn a_copy_of_the_log_publishes_only_what_the_bus_has_not() {
    let world = World::new().await;
    world.log.grow(30);
    world.publish_everything().await;
    let copy = world.log.copy(2);
    copy.grow(5);
    for _ in 0..2 {
        let publisher = world.publisher_of(&copy).await;
        publisher.caught_up(&copy).await;
        publisher.stopped().await;
    }
    let places: Vec<_> = world.published().await.iter().map(|(_, e)| e.position.0).collect();
    assert_eq!(places, (0..35).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_bus_that_was_never_made_is_named_with_what_makes_it() {
    let server = NatsServer::start().await;
    let error = NatsBus::open(server.connect().await).await.unwrap_err();
    assert_eq!(error.to_string(), "NATS has no stream `countersign_bus`: run `countersign init`");
}
