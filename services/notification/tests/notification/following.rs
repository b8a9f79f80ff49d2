//! The followers together, running as they do in a process.

use std::sync::Arc;

use countersign_bus::{Bus, InProcessBus};
use countersign_core::TenantId;
use countersign_eventsourcing::{CheckpointStore, EventLog as _};
use countersign_notification::Followers;
use countersign_proto::notification::DeliveryStatus;
use countersign_providers::{Cause, SendError};
use countersign_service::{Board, lifecycle::Lifecycle};
use tokio::time::Instant;

use crate::{
    checkpoints::WatchedCheckpoints,
    messenger::Act,
    reading::list,
    world::{ALICE, BOB, World, soon},
};

/// Followers that run until they are stopped.
struct Running {
    followers: Followers,
    lifecycle: Lifecycle,
    checkpoints: Arc<WatchedCheckpoints>,
}

impl Running {
    fn start(world: &World) -> Self {
        Self::start_at(world, Arc::default())
    }

    fn start_at(world: &World, checkpoints: Arc<WatchedCheckpoints>) -> Self {
        let followers =
            Followers::new(Arc::clone(&world.foundation), Arc::clone(&world.provider) as _);
        let lifecycle = Lifecycle::new();
        let kept: Arc<dyn CheckpointStore> = Arc::clone(&checkpoints) as _;
        let bus: Arc<dyn Bus> = Arc::new(InProcessBus::new(Arc::clone(&world.log) as _, kept));
        followers.spawn(&lifecycle, &bus, &Board::default());
        Self { followers, lifecycle, checkpoints }
    }

    async fn stop(self) {
        self.lifecycle.stop();
        soon(self.lifecycle.finished()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_enrolment_is_announced_once_and_sent_once() {
    let world = World::new();
    let running = Running::start(&world);
    world.enroll("acme", ALICE).await;
    world.until(1, "DeliverySent").await;
    let told = ("authenticator_enrolled".to_owned(), ALICE.to_owned());
    assert_eq!(world.provider.was_given(), [told]);
    assert_eq!(world.delivery_event_types().await, ["DeliveryRequested", "DeliverySent"]);
    assert_eq!(running.followers.passed_over(), 0);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn followers_whose_checkpoints_were_lost_send_nothing_twice() {
    let mut world = World::new();
    world.enroll("acme", ALICE).await;
    world.enroll("acme", BOB).await;
    let running = Running::start(&world);
    world.until(2, "DeliverySent").await;
    running.stop().await;
    let head = world.log.head().await.unwrap().unwrap();

    world.restart();
    let running = Running::start(&world);
    running.checkpoints.reached("account-notices.1", head).await;
    running.checkpoints.reached("delivery-sender.1", head).await;
    assert_eq!(world.provider.was_given().len(), 2);
    assert_eq!(world.log.head().await.unwrap(), Some(head));
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_new_process_goes_on_at_its_checkpoints_and_lists_what_was_before() {
    let mut world = World::new();
    world.enroll("acme", ALICE).await;
    let running = Running::start(&world);
    world.until(1, "DeliverySent").await;
    let checkpoints = Arc::clone(&running.checkpoints);
    running.stop().await;

    world.restart();
    let running = Running::start_at(&world, checkpoints);
    let acme = TenantId::parse("acme").unwrap();
    let (listed, _) = list(&world, &running.followers.deliveries(), &acme, 0, "").await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].status(), DeliveryStatus::Sent);
    world.enroll("acme", BOB).await;
    world.until(2, "DeliverySent").await;
    assert_eq!(world.provider.was_given().len(), 2);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn trying_again_waits_a_little_each_time() {
    let world = World::new();
    let away = || Act::Fail(SendError::Retry(Cause::new("busy")));
    world.provider.will([away(), away()]);
    world.enroll("acme", ALICE).await;
    let began = Instant::now();
    let running = Running::start(&world);
    world.until(1, "DeliverySent").await;
    assert_eq!(world.provider.was_given().len(), 3);
    // Two pauses, the second twice as long, each of them from a half up by chance.
    assert!((750..=1_500).contains(&began.elapsed().as_millis()), "{:?}", began.elapsed());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_event_that_nobody_can_read_holds_nobody_up() {
    let world = World::new();
    let (_, confirmed) = world.enroll("acme", ALICE).await;
    world.append_bytes(&confirmed.stream, "EnrollmentConfirmed", 1, b"\xff".to_vec()).await;
    let stream = "deliveries-acme.00000000-0000-0000-0000-000000000001".parse().unwrap();
    world.append_bytes(&stream, "DeliveryRequested", 1, b"\xff".to_vec()).await;
    world.enroll("acme", BOB).await;
    let running = Running::start(&world);
    world.until(2, "DeliverySent").await;
    // Once by each of the three: the notice, the sender and the read model.
    let acme = TenantId::parse("acme").unwrap();
    let (listed, _) = list(&world, &running.followers.deliveries(), &acme, 0, "").await.unwrap();
    assert_eq!(listed.len(), 2);
    assert_eq!(running.followers.passed_over(), 3);
    running.stop().await;
}
