//! NATS away.

use std::sync::Arc;

use countersign_eventsourcing::Filter;

use crate::{
    reactors::Recorder,
    world::{World, eventually},
};

#[tokio::test]
async fn nothing_is_lost_while_nats_is_killed_and_started_again() {
    let mut world = World::new().await;
    let publishers = [world.publisher().await, world.publisher().await];
    let recorder = Recorder::new(Filter::default());
    let consumer = world.consumer(Arc::clone(&recorder) as _).await;
    for round in 1..=3 {
        world.log.grow(400);
        eventually("it is in the middle", async || recorder.done().len() > round * 50).await;
        world.server.kill().await;
        world.log.grow(100);
        world.server.restart().await;
    }
    for publisher in &publishers {
        publisher.caught_up(&world.log).await;
    }
    world.assert_complete().await;
    let all = world.log.events().len();
    eventually("all are done", async || Recorder::counts(&[&recorder]).len() == all).await;
    consumer.stopped().await;
    for publisher in publishers {
        publisher.stopped().await;
    }
}

#[tokio::test]
async fn a_stop_while_nats_is_away_is_obeyed() {
    let mut world = World::new().await;
    world.log.grow(10);
    let publisher = world.publisher().await;
    let recorder = Recorder::new(Filter::default());
    let consumer = world.consumer(Arc::clone(&recorder) as _).await;
    eventually("all are done", async || recorder.done().len() == 10).await;
    world.server.kill().await;
    world.log.grow(10);
    eventually("the trouble is told", async || publisher.report().trouble.is_some()).await;
    publisher.stopped().await;
    consumer.stopped().await;
}
