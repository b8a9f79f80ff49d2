//! Reactors as durable consumers.

use std::{sync::Arc, time::Duration};

use countersign_eventsourcing::{Filter, Reactor};

use crate::{
    reactors::Recorder,
    world::{World, eventually},
};

fn wanted() -> Filter {
    Filter { event_types: vec!["Odd.type *".to_owned()], ..Filter::category("deliveries") }
}

#[tokio::test]
async fn a_reactor_is_given_what_it_wants_exactly_as_the_log_holds_it() {
    let world = World::new().await;
    world.log.grow(120);
    let publisher = world.publisher().await;
    let recorder = Recorder::new(wanted());
    let consumer = world.consumer(Arc::clone(&recorder) as _).await;
    world.log.grow(60);
    let filter = wanted();
    let mut expected = world.log.events();
    expected.retain(|event| filter.matches(&event.stream, &event.event.event_type));
    eventually("all are done", async || recorder.done().len() == expected.len()).await;
    assert_eq!(recorder.done(), expected);
    consumer.stopped().await;
    publisher.stopped().await;
}

#[tokio::test]
async fn replicas_share_the_work_and_in_calm_nothing_is_done_twice() {
    let world = World::new().await;
    let takes = Duration::from_millis(2);
    let recorders = [0, 1].map(|_| Recorder::slow(Filter::default(), takes));
    let mut consumers = Vec::new();
    for recorder in &recorders {
        consumers.push(world.consumer(Arc::clone(recorder) as _).await);
    }
    let publisher = world.publisher().await;
    world.log.grow(300);
    let [a, b] = &recorders;
    eventually("all are done", async || a.done().len() + b.done().len() >= 300).await;
    for consumer in consumers {
        consumer.stopped().await;
    }
    publisher.stopped().await;
    let counts = Recorder::counts(&[a, b]);
    assert!(counts.len() == 300 && counts.values().all(|count| *count == 1), "{counts:?}");
    assert!(a.done().len() > 30 && b.done().len() > 30, "both work");
}

#[tokio::test]
async fn an_event_that_a_replica_died_at_is_given_to_another() {
    let world = World::new().await;
    world.log.grow(3);
    world.publish_everything().await;
    let dying = Recorder::shut(Filter::default());
    let replica = world.consumer(Arc::clone(&dying) as _).await;
    eventually("it begins", async || dying.begun() == 1).await;
    replica.killed().await;
    let recorder = Recorder::new(Filter::default());
    let consumer = world.consumer(Arc::clone(&recorder) as _).await;
    eventually("all are done", async || recorder.done().len() == 3).await;
    consumer.stopped().await;
    assert_eq!(Recorder::counts(&[&recorder]).len(), 3);
    assert!(dying.done().is_empty());
}

#[tokio::test]
async fn an_event_that_takes_long_is_not_given_to_another_meanwhile() {
    let world = World::new().await;
    world.log.grow(1);
    world.publish_everything().await;
    // Longer than JetStream waits for a replica that says nothing.
    let slow = Recorder::slow(Filter::default(), Duration::from_millis(2500));
    let first = world.consumer(Arc::clone(&slow) as _).await;
    eventually("it begins", async || slow.begun() == 1).await;
    let other = Recorder::new(Filter::default());
    let second = world.consumer(Arc::clone(&other) as _).await;
    eventually("it is done", async || slow.done().len() == 1).await;
    first.stopped().await;
    second.stopped().await;
    assert_eq!((slow.begun(), other.begun()), (1, 0));
}

#[tokio::test]
async fn what_a_reactor_is_doing_is_let_finish_before_it_stops() {
    let world = World::new().await;
    world.log.grow(2);
    world.publish_everything().await;
    let recorder = Recorder::shut(Filter::default());
    let consumer = world.consumer(Arc::clone(&recorder) as _).await;
    eventually("it begins", async || recorder.begun() == 1).await;
    consumer.stop.cancel();
    assert!(!consumer.is_finished());
    recorder.let_through(2);
    consumer.stopped().await;
    assert_eq!(recorder.done().len(), 1);
    // What it did then was acknowledged: only the other one is left.
    let consumer = world.consumer(Arc::clone(&recorder) as _).await;
    eventually("the other one is done", async || recorder.done().len() == 2).await;
    consumer.stopped().await;
    assert_eq!(Recorder::counts(&[&recorder]).len(), 2);
}

#[tokio::test]
async fn an_event_that_fails_for_a_while_is_given_out_again_until_it_is_done() {
    let world = World::new().await;
    world.log.grow(5);
    let recorder = Recorder::new(Filter::default());
    recorder.fail_times(2, 3);
    let consumer = world.consumer(Arc::clone(&recorder) as _).await;
    let publisher = world.publisher().await;
    eventually("all are done", async || recorder.done().len() == 5).await;
    consumer.stopped().await;
    publisher.stopped().await;
    assert_eq!(recorder.begun(), 5 + 3);
    assert!(world.bus.dead_letters().list(0, 1).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_report_says_how_far_a_reactor_is() {
    use countersign_bus::Bus as _;

    let world = World::new().await;
    world.log.grow(4);
    world.publish_everything().await;
    let recorder = Recorder::shut(Filter::default());
    let (bus, stop) = (world.bus.clone(), tokio_util::sync::CancellationToken::new());
    let (reactor, token): (Arc<dyn Reactor>, _) = (Arc::clone(&recorder) as _, stop.clone());
    let task = tokio::spawn(async move { bus.run(reactor, token).await });
    eventually("it says what waits", async || {
        world.bus.reports().first().is_some_and(|report| report.pending == Some(4))
    })
    .await;
    recorder.let_through(4);
    eventually("nothing waits", async || {
        let report = world.bus.reports().remove(0);
        report.pending == Some(0)
            && report.position == world.log.events().last().map(|e| e.position)
    })
    .await;
    stop.cancel();
    task.await.unwrap();
    let report = world.bus.reports().remove(0);
    assert_eq!((&*report.name, report.running, report.parked), ("recorder.1", false, 0));
}
