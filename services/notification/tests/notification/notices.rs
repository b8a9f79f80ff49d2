//! What is announced, to whom, and what is not.

use std::collections::BTreeMap;

use countersign_core::{AuthenticatorId, UserKey};
use countersign_domain::{
    delivery::{self, Delivery, DeliveryRequested},
    user_authenticators::{
        AuthenticatorReinstated, AuthenticatorRemoved, AuthenticatorRenamed,
        AuthenticatorSuspended, Event, Pass, RecoveryCodesIssued, TemporaryAccessPassIssued,
        UserAuthenticators,
    },
    user_challenges::{self, AuthenticatorThrottled, ClosedTo, UserChallenges},
};
use countersign_eventsourcing::{EventCodec as _, RecordedEvent};
use countersign_service::{User, seals};

use crate::world::{ALICE, BOB, NOW, TRACEPARENT, World};

/// Returns every announcement in the order of the log.
async fn announced(world: &World) -> Vec<(RecordedEvent, DeliveryRequested)> {
    let mut announced = Vec::new();
    for recorded in world.delivery_events().await {
        let event = &recorded.event;
        let decoded = Delivery::decode(&event.event_type, event.schema_version, &event.payload);
        if let delivery::Event::DeliveryRequested(requested) = decoded.unwrap() {
            announced.push((recorded, requested));
        }
    }
    announced
}

/// Does everything to an authenticator that a user is told about after enrolment, and something that they are not.
async fn live_through_everything(world: &World, user: &User, authenticator_id: AuthenticatorId) {
    let sealed =
        world.foundation.vault.seal(&user.tenant, user.key, seals::USER_ID, ALICE.as_bytes());
    let sealed = sealed.await.unwrap();
    let (display_name, record) = (sealed.clone(), sealed.clone());
    let reason = "lost".to_owned();
    let events = [
        Event::AuthenticatorRenamed(AuthenticatorRenamed { authenticator_id, display_name }),
        Event::AuthenticatorSuspended(AuthenticatorSuspended {
            authenticator_id,
            reason: reason.clone(),
        }),
        Event::AuthenticatorReinstated(AuthenticatorReinstated { authenticator_id }),
        Event::AuthenticatorRemoved(AuthenticatorRemoved {
            authenticator_id,
            reason,
            removed_at: NOW,
        }),
        Event::RecoveryCodesIssued(RecoveryCodesIssued {
            authenticator_id: AuthenticatorId::new(world.new_id()),
            generation: 1,
            record: record.clone(),
            count: 10,
            user_id: sealed.clone(),
            issued_at: NOW,
        }),
        Event::TemporaryAccessPassIssued(TemporaryAccessPassIssued {
            authenticator_id: AuthenticatorId::new(world.new_id()),
            generation: 1,
            record,
            pass: Pass { starts_at: NOW, ends_at: NOW, single_use: true, challenges_until: NOW },
            user_id: sealed,
            issued_at: NOW,
        }),
    ];
    for event in events {
        world.append::<UserAuthenticators>(&user.authenticators(), &event).await;
    }
    let throttled = user_challenges::Event::AuthenticatorThrottled(AuthenticatorThrottled {
        authenticator_id,
        consecutive_failures: 5,
        until: None,
        closed_to: ClosedTo::Everyone,
    });
    world.append::<UserChallenges>(&user.challenges(), &throttled).await;
}

#[tokio::test]
async fn every_event_that_matters_to_a_user_is_announced_in_order() {
    let world = World::new();
    let (authenticator_id, _) = world.enroll("acme", ALICE).await;
    live_through_everything(&world, &world.user("acme", ALICE), authenticator_id).await;
    world.pass(&world.notices()).await.unwrap();
    let told: Vec<_> = announced(&world)
        .await
        .into_iter()
        .map(|(_, requested)| (requested.template.to_string(), requested.values["kind"].clone()))
        .collect();
    let expected = [
        ("authenticator_enrolled", "totp"),
        ("authenticator_suspended", "totp"),
        ("authenticator_reinstated", "totp"),
        ("authenticator_removed", "totp"),
        ("recovery_codes_issued", "recovery_code"),
        ("temporary_access_pass_issued", "temporary_access_pass"),
        ("authenticator_throttled", "totp"),
    ];
    assert_eq!(told, expected.map(|(template, kind)| (template.to_owned(), kind.to_owned())));
}

#[tokio::test]
async fn an_announcement_names_the_authenticator_and_seals_the_recipient() {
    let world = World::new();
    let (authenticator_id, _) = world.enroll("acme", ALICE).await;
    world.pass(&world.notices()).await.unwrap();
    let (recorded, requested) = announced(&world).await.remove(0);
    assert_eq!(recorded.stream.as_str(), format!("deliveries-acme.{}", requested.delivery_id));
    let values = [("authenticator_id", authenticator_id.to_string()), ("kind", "totp".to_owned())];
    assert_eq!(
        requested.values,
        BTreeMap::from(values.map(|(name, value)| (name.to_owned(), value)))
    );
    let user = world.user("acme", ALICE);
    let vault = &world.foundation.vault;
    let recipient = vault.unseal(&user.tenant, user.key, seals::RECIPIENT, &requested.recipient);
    assert_eq!(recipient.await.unwrap().expose(), ALICE.as_bytes());
    let stored = &recorded.event.payload;
    assert!(!stored.windows(ALICE.len()).any(|window| window == ALICE.as_bytes()));
}

#[tokio::test]
async fn an_announcement_carries_on_correlation_and_trace_of_its_cause() {
    let world = World::new();
    let (_, cause) = world.enroll("acme", ALICE).await;
    world.pass(&world.notices()).await.unwrap();
    let (recorded, _) = announced(&world).await.remove(0);
    let metadata = &recorded.event.metadata;
    assert_eq!(&*metadata.requester, "service:notification");
    assert_eq!(metadata.correlation_id, cause.event.metadata.correlation_id);
    assert_eq!(&*metadata.traceparent, TRACEPARENT);
    assert_eq!(metadata.causation_id.get_version_num(), 5);
}

#[tokio::test]
async fn an_event_seen_again_announces_nothing_new() {
    let mut world = World::new();
    world.enroll("acme", ALICE).await;
    world.enroll("acme", BOB).await;
    world.pass(&world.notices()).await.unwrap();
    let before = world.delivery_events().await;
    assert_eq!(before.len(), 2);
    world.pass(&world.notices()).await.unwrap();
    world.restart();
    world.pass(&world.notices()).await.unwrap();
    assert_eq!(world.delivery_events().await, before);
}

#[tokio::test]
async fn a_user_who_was_erased_is_told_nothing() {
    let world = World::new();
    world.enroll("acme", ALICE).await;
    world.enroll("acme", BOB).await;
    let alice = world.user("acme", ALICE);
    world.foundation.vault.erase(&alice.tenant, alice.key).await.unwrap();
    let notices = world.notices();
    world.pass(&notices).await.unwrap();
    let announced = announced(&world).await;
    assert_eq!(announced.len(), 1);
    let bob = world.user("acme", BOB);
    assert_eq!(&*announced[0].1.recipient.key_id, format!("acme.{}", bob.key));
    assert_eq!(notices.passed_over().count(), 0);
}

#[tokio::test]
async fn an_event_that_cannot_be_read_is_passed_over_and_the_rest_is_announced() {
    let world = World::new();
    let (_, before) = world.enroll("acme", ALICE).await;
    let stream = before.stream.clone();
    world.append_bytes(&stream, "AuthenticatorRemoved", 1, b"\xff\xff\xff".to_vec()).await;
    world.append_bytes(&stream, "AuthenticatorSuspended", 99, vec![]).await;
    let (after, _) = world.enroll("acme", ALICE).await;
    let notices = world.notices();
    world.pass(&notices).await.unwrap();
    let announced = announced(&world).await;
    assert_eq!(announced.len(), 2);
    assert_eq!(announced[1].1.values["authenticator_id"], after.to_string());
    assert_eq!(notices.passed_over().count(), 2);
}

#[tokio::test]
async fn an_event_of_a_user_whom_nothing_names_is_passed_over() {
    let world = World::new();
    let user = User { key: UserKey::new([9; 16]), ..world.user("acme", ALICE) };
    let throttled = user_challenges::Event::AuthenticatorThrottled(AuthenticatorThrottled {
        authenticator_id: AuthenticatorId::new(world.new_id()),
        consecutive_failures: 5,
        until: None,
        closed_to: ClosedTo::Everyone,
    });
    world.append::<UserChallenges>(&user.challenges(), &throttled).await;
    let notices = world.notices();
    world.pass(&notices).await.unwrap();
    assert!(announced(&world).await.is_empty());
    assert_eq!(notices.passed_over().count(), 1);
}

#[tokio::test]
async fn an_announcement_that_the_log_refuses_is_made_when_the_event_is_seen_again() {
    let world = World::new();
    world.enroll("acme", ALICE).await;
    let notices = world.notices();
    world.log.refuse_appends(1);
    assert!(world.pass(&notices).await.is_err());
    assert!(announced(&world).await.is_empty());
    world.pass(&notices).await.unwrap();
    assert_eq!(announced(&world).await.len(), 1);
    assert_eq!(notices.passed_over().count(), 0);
}
