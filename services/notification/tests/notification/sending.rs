//! What becomes of an announced delivery, whatever the provider does.

use countersign_domain::delivery::{Delivery, Event};
use countersign_eventsourcing::{EventCodec as _, RecordedEvent};
use countersign_notification::DeliverySender;
use countersign_providers::{Cause, Channel, SendError};

use crate::{
    messenger::Act,
    world::{ALICE, BOB, NOW, TRACEPARENT, World},
};

/// A world in which one delivery is announced.
async fn announced() -> World {
    let world = World::new();
    world.enroll("acme", ALICE).await;
    world.pass(&world.notices()).await.unwrap();
    world
}

fn decoded(recorded: &RecordedEvent) -> Event {
    let event = &recorded.event;
    Delivery::decode(&event.event_type, event.schema_version, &event.payload).unwrap()
}

/// Shows the announcements to `sender` as often as it wants to try again, and returns how often that was.
async fn settle(world: &World, sender: &DeliverySender) -> usize {
    for passes in 1..=100 {
        if world.pass(sender).await.is_ok() {
            return passes;
        }
    }
    0
}

/// Returns provider and reason of the failure that ends the only delivery.
async fn failure(world: &World) -> (String, String) {
    let events = world.delivery_events().await;
    assert_eq!(events.len(), 2);
    match decoded(&events[1]) {
        Event::DeliveryFailed(failed) => {
            assert_eq!(failed.failed_at, NOW);
            (failed.provider.into(), failed.reason)
        }
        other @ (Event::DeliveryRequested(_) | Event::DeliverySent(_)) => {
            unreachable!("{other:?}")
        }
    }
}

#[tokio::test]
async fn what_is_announced_is_sent_and_recorded() {
    let world = announced().await;
    world.pass(&world.sender()).await.unwrap();
    let events = world.delivery_events().await;
    let Event::DeliveryRequested(requested) = decoded(&events[0]) else { unreachable!() };
    let Event::DeliverySent(sent) = decoded(&events[1]) else { unreachable!() };
    assert_eq!(events.len(), 2);
    assert_eq!(sent.delivery_id, requested.delivery_id);
    assert_eq!((&*sent.provider, sent.sent_at), ("double", NOW));
    let calls = world.provider.calls.lock();
    assert_eq!(calls.len(), 1);
    let message = &calls[0].message;
    assert_eq!(&*message.delivery_id, requested.delivery_id.to_string());
    assert_eq!(&*message.template, "authenticator_enrolled");
    assert_eq!(message.channel, Channel::Platform);
    assert_eq!(message.recipient.expose(), ALICE);
    assert_eq!(message.values, requested.values);
}

#[tokio::test]
async fn an_end_carries_on_correlation_and_trace_of_the_announcement() {
    let world = announced().await;
    world.pass(&world.sender()).await.unwrap();
    let events = world.delivery_events().await;
    let [announced, end] = [&events[0].event.metadata, &events[1].event.metadata];
    assert_eq!(&*end.requester, "service:notification");
    assert_eq!(end.correlation_id, announced.correlation_id);
    assert_eq!(&*end.traceparent, TRACEPARENT);
    assert_ne!(end.causation_id, announced.causation_id);
}

#[tokio::test]
async fn nothing_is_sent_before_the_log_announces_it() {
    let world = World::new();
    world.enroll("acme", ALICE).await;
    world.enroll("acme", BOB).await;
    world.pass(&world.sender()).await.unwrap();
    assert!(world.provider.was_given().is_empty());
    world.pass(&world.notices()).await.unwrap();
    assert!(world.provider.was_given().is_empty());
    world.pass(&world.sender()).await.unwrap();
    let calls = world.provider.calls.lock();
    assert_eq!(calls.len(), 2);
    assert!(calls.iter().all(|call| call.log_held == ["DeliveryRequested"]));
}

#[tokio::test]
async fn a_delivery_that_is_finished_is_not_sent_again() {
    let mut world = announced().await;
    world.pass(&world.sender()).await.unwrap();
    world.pass(&world.sender()).await.unwrap();
    world.restart();
    world.pass(&world.sender()).await.unwrap();
    assert_eq!(world.provider.was_given().len(), 1);
    assert_eq!(world.delivery_event_types().await, ["DeliveryRequested", "DeliverySent"]);
}

#[tokio::test]
async fn an_error_that_trying_again_cannot_mend_ends_the_delivery_at_once() {
    let cause = || Cause::new("so it says");
    let errors = [
        (SendError::Refused(cause()), "the provider refused the message: so it says"),
        (SendError::Misconfigured(cause()), "the provider is not set up rightly: so it says"),
        (
            SendError::Unknown(cause()),
            "the provider did not say whether it took the message: so it says",
        ),
    ];
    for (error, reason) in errors {
        let world = announced().await;
        world.provider.will([Act::Fail(error)]);
        assert_eq!(settle(&world, &world.sender()).await, 1);
        assert_eq!(failure(&world).await, ("double".to_owned(), reason.to_owned()));
        world.pass(&world.sender()).await.unwrap();
        assert_eq!(world.provider.was_given().len(), 1, "{reason}");
    }
}

#[tokio::test]
async fn a_provider_that_cannot_for_now_is_asked_again() {
    let world = announced().await;
    let away = || Act::Fail(SendError::Retry(Cause::new("busy")));
    world.provider.will([away(), away()]);
    assert_eq!(settle(&world, &world.sender()).await, 3);
    assert_eq!(world.provider.was_given().len(), 3);
    assert_eq!(world.delivery_event_types().await, ["DeliveryRequested", "DeliverySent"]);
}

#[tokio::test]
async fn a_provider_that_never_can_is_asked_five_times_for_each_delivery() {
    let world = announced().await;
    let away = || Act::Fail(SendError::Retry(Cause::new("busy")));
    world.provider.will((0..9).map(|_| away()));
    let sender = world.sender();
    assert_eq!(settle(&world, &sender).await, 5);
    let reason = "the provider cannot take the message for now: busy";
    assert_eq!(failure(&world).await, ("double".to_owned(), reason.to_owned()));
    assert_eq!(world.provider.was_given().len(), 5);

    world.enroll("acme", BOB).await;
    world.pass(&world.notices()).await.unwrap();
    assert_eq!(settle(&world, &sender).await, 5);
    assert_eq!(world.provider.was_given().len(), 10);
    let ends = ["DeliveryRequested", "DeliveryFailed", "DeliveryRequested", "DeliverySent"];
    assert_eq!(world.delivery_event_types().await, ends);
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_does_not_answer_may_have_sent_and_is_not_asked_again() {
    let world = announced().await;
    world.provider.will([Act::Hang]);
    assert_eq!(settle(&world, &world.sender()).await, 1);
    let reason = "the provider did not say whether it took the message: no answer within 30 s";
    assert_eq!(failure(&world).await, ("double".to_owned(), reason.to_owned()));
    world.pass(&world.sender()).await.unwrap();
    assert_eq!(world.provider.was_given().len(), 1);
}

#[tokio::test]
async fn a_provider_of_other_channels_is_not_asked() {
    let world = announced().await;
    *world.provider.channels.lock() = &[Channel::Sms];
    world.pass(&world.sender()).await.unwrap();
    let reason =
        "the provider is not set up rightly: it does not serve the channel `platform`".to_owned();
    assert_eq!(failure(&world).await, ("double".to_owned(), reason));
    assert!(world.provider.was_given().is_empty());
}

#[tokio::test]
async fn a_message_is_not_sent_again_because_the_log_was_away_afterwards() {
    let world = announced().await;
    let sender = world.sender();
    world.log.refuse_appends(2);
    assert_eq!(settle(&world, &sender).await, 3);
    assert_eq!(world.provider.was_given().len(), 1);
    assert_eq!(world.delivery_event_types().await, ["DeliveryRequested", "DeliverySent"]);
}

#[tokio::test]
async fn a_user_who_was_erased_after_the_announcement_is_sent_nothing() {
    let world = announced().await;
    let alice = world.user("acme", ALICE);
    world.foundation.vault.erase(&alice.tenant, alice.key).await.unwrap();
    world.pass(&world.sender()).await.unwrap();
    let (_, reason) = failure(&world).await;
    assert_eq!(reason, "the recipient cannot be read: the user's key is not there any more");
    assert!(world.provider.was_given().is_empty());
}

#[tokio::test]
async fn an_announcement_that_cannot_be_read_is_passed_over_and_the_rest_is_sent() {
    let world = announced().await;
    let stream = "deliveries-acme.00000000-0000-0000-0000-000000000001".parse().unwrap();
    world.append_bytes(&stream, "DeliveryRequested", 1, b"\xff\xff\xff".to_vec()).await;
    world.enroll("acme", BOB).await;
    world.pass(&world.notices()).await.unwrap();
    let sender = world.sender();
    world.pass(&sender).await.unwrap();
    let given: Vec<_> = world.provider.was_given().into_iter().map(|(_, to)| to).collect();
    assert_eq!(given, [ALICE, BOB]);
    assert_eq!(sender.passed_over().count(), 1);
}
