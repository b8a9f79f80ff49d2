//! What fails for good, and what the operator does with it.

use std::sync::Arc;

use countersign_bus::BusError;
use countersign_eventsourcing::{Filter, Position};

use crate::{
    reactors::Recorder,
    world::{World, eventually},
};

#[tokio::test]
async fn an_event_that_fails_too_often_is_parked_and_can_be_given_out_again() {
    let world = World::new().await;
    world.log.grow(3);
    world.publish_everything().await;
    let recorder = Recorder::new(Filter::default());
    recorder.fail_at(&[1]);
    let consumer = world.consumer(Arc::clone(&recorder) as _).await;
    let letters = world.bus.dead_letters();
    eventually("it is parked", async || letters.list(0, 9).await.unwrap().len() == 1).await;
    eventually("the others are done", async || recorder.done().len() == 2).await;
    assert_eq!(recorder.begun(), 2 + 4, "the others once, this one as often as it may");

    let letter = letters.list(0, 9).await.unwrap().remove(0);
    let event = &world.log.events()[1];
    assert_eq!(letter.parked_by, "recorder-1");
    assert_eq!(
        letter.reason,
        "challenges-globex.1 revision 0: no NATS server answers: told to fail"
    );
    assert_eq!(letter.place, "challenges-globex.1 revision 0");
    assert_eq!(letter.position, Some(Position(1)));
    assert_eq!(letter.stream.as_deref(), Some("challenges-globex.1"));
    assert_eq!(letter.event_type.as_deref(), Some("Odd.type *"));
    assert_eq!(letter.body, event.event.payload);
    assert_eq!(letter.subject.as_deref(), Some("countersign.globex.challenges.Odd%2Etype%20%2A"));

    recorder.fail_at(&[]);
    letters.requeue(letter.sequence).await.unwrap();
    eventually("it is done", async || recorder.done().len() == 3).await;
    assert_eq!(recorder.done().last(), Some(event));
    assert!(letters.list(0, 9).await.unwrap().is_empty());
    let again = letters.requeue(letter.sequence).await;
    assert!(matches!(again, Err(BusError::NoSuchLetter(_))));
    consumer.stopped().await;

    // What was given out again stands on the bus among the events, and is nothing to the publisher.
    world.log.grow(4);
    world.publish_everything().await;
    let mut places: Vec<_> = world.published().await.iter().map(|(_, e)| e.position.0).collect();
    assert_eq!(places.remove(3), 1);
    assert_eq!(places, (0..7).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_letter_that_is_dropped_is_gone() {
    let world = World::new().await;
    world.log.grow(4);
    world.publish_everything().await;
    let recorder = Recorder::new(Filter::default());
    recorder.fail_at(&[0, 3]);
    let consumer = world.consumer(Arc::clone(&recorder) as _).await;
    let letters = world.bus.dead_letters();
    eventually("two are parked", async || letters.list(0, 9).await.unwrap().len() == 2).await;
    consumer.stopped().await;
    let [first, second]: [_; 2] = letters.list(0, 9).await.unwrap().try_into().unwrap();
    assert_eq!(letters.list(first.sequence, 9).await.unwrap(), std::slice::from_ref(&second));
    letters.drop_letter(first.sequence).await.unwrap();
    assert_eq!(letters.list(0, 9).await.unwrap(), [second]);
    let again = letters.drop_letter(first.sequence).await;
    assert!(matches!(again, Err(BusError::NoSuchLetter(_))));
}
