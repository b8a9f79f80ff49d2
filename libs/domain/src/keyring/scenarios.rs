//! Scenarios of every command, event and rejection.

use countersign_eventsourcing::{EventCodec as _, Scenario};

use super::*;

const AT: Timestamp = Timestamp::from_unix_seconds(100);
const LATER: Timestamp = Timestamp::from_unix_seconds(200);

fn given(events: impl IntoIterator<Item = Event>) -> Scenario<Keyring> {
    Scenario::given(events)
}

/// Goes on, step by step, after `events`.
#[track_caller]
fn after<const N: usize, const M: usize>(events: &[Event; N], steps: [(Command, Vec<Event>); M]) {
    let mut history = events.to_vec();
    for (command, expected) in steps {
        given(history.clone()).when(command).then(expected.clone());
        history.extend(expected);
    }
}

fn key(kid: &str) -> ObservedAssertionKey {
    ObservedAssertionKey { kid: kid.into(), algorithm: "ES256".into(), signs_from: None }
}

/// What a process sees that has nothing to say of the provider and of wrapping anew.
fn sees(versions: &[u32], kids: &[&str]) -> Observed {
    Observed {
        provider: None,
        versions: versions.to_vec(),
        rewrapped: None,
        ring_rewrapped: None,
        assertion_keys: kids.iter().map(|kid| key(kid)).collect(),
        now: AT,
    }
}

fn observe(observed: Observed) -> Command {
    Command::Observe(Box::new(observed))
}

fn added(version: u32) -> Event {
    Event::KeyVersionAdded(KeyVersionAdded { version, seen_at: AT })
}

fn rewrapped(version: u32, keys: u64) -> Event {
    Event::KeysRewrapped(KeysRewrapped { version, keys, seen_at: AT })
}

fn retired(versions: &[u32]) -> Event {
    let versions = versions.to_vec();
    Event::KeyVersionsRetired(KeyVersionsRetired { versions, seen_at: AT })
}

fn kept_by(provider: &str) -> Event {
    let provider = provider.into();
    Event::KeyProviderChanged(KeyProviderChanged { provider, seen_at: AT })
}

fn published(kid: &str) -> Event {
    Event::AssertionKeyPublished(AssertionKeyPublished {
        kid: kid.into(),
        algorithm: "ES256".into(),
        signs_from: None,
        seen_at: AT,
    })
}

fn withdrawn(kids: &[&str]) -> Event {
    let kids = kids.iter().map(|kid| (*kid).into()).collect();
    Event::AssertionKeysWithdrawn(AssertionKeysWithdrawn { kids, seen_at: AT })
}

fn begun(rotation: u32) -> Event {
    Event::SecretRotationBegun(SecretRotationBegun { rotation, begun_at: AT })
}

fn advanced(rotation: u32, users_done: u64, users_total: u64) -> Event {
    let event = SecretRotationAdvanced { rotation, users_done, users_total };
    Event::SecretRotationAdvanced(event)
}

fn completed(rotation: u32) -> Event {
    let event = SecretRotationCompleted { rotation, users: 3, secrets: 5, completed_at: LATER };
    Event::SecretRotationCompleted(event)
}

fn note(rotation: u32, users_done: u64, users_total: u64) -> Command {
    Command::NoteSecretRotation { rotation, users_done, users_total }
}

fn complete(rotation: u32) -> Command {
    Command::CompleteSecretRotation { rotation, users: 3, secrets: 5, now: LATER }
}

#[test]
fn the_first_look_tells_of_everything_and_the_next_of_nothing() {
    let first = Observed { provider: Some("local".into()), ..sees(&[1], &["a"]) };
    let again = Observed { now: LATER, ..first.clone() };
    let all = vec![kept_by("local"), added(1), published("a")];
    after(&[], [(observe(first), all), (observe(again), vec![])]);
}

#[test]
fn a_rotation_is_told_step_by_step() {
    let complete = Observed { rewrapped: Some(7), ..sees(&[1, 2], &[]) };
    after(
        &[added(1)],
        [
            (observe(sees(&[1, 2], &[])), vec![added(2)]),
            (observe(complete.clone()), vec![rewrapped(2, 7)]),
            (observe(complete), vec![]),
            (observe(sees(&[2], &[])), vec![retired(&[1])]),
        ],
    );
}

#[test]
fn steps_that_nobody_saw_are_told_at_once() {
    let last = Observed { rewrapped: Some(7), ..sees(&[4], &[]) };
    given([added(1)]).when(observe(last)).then([added(4), rewrapped(4, 7), retired(&[1])]);
}

#[test]
fn whoever_lacks_the_newest_version_is_behind_and_says_nothing() {
    let behind = Observed { rewrapped: Some(7), ..sees(&[1], &[]) };
    given([added(1), added(2)]).when(observe(behind)).then([]);
    given([added(1), added(2)]).when(observe(sees(&[], &[]))).then([]);
}

#[test]
fn a_retired_version_that_somebody_still_sees_is_not_told_again() {
    given([added(1), added(2), retired(&[1])]).when(observe(sees(&[1, 2], &[]))).then([]);
}

#[test]
fn a_provider_is_told_when_it_is_another_one_and_only_by_who_knows() {
    let by =
        |provider: &str| observe(Observed { provider: Some(provider.into()), ..sees(&[1], &[]) });
    after(
        &[kept_by("local"), added(1)],
        [
            (by("vault"), vec![kept_by("vault")]),
            (by("vault"), vec![]),
            (observe(sees(&[1], &[])), vec![]),
        ],
    );
}

#[test]
fn a_ring_that_was_wrapped_anew_is_told_by_who_had_it_done() {
    let done = Observed { ring_rewrapped: Some("vault".into()), ..sees(&[1], &[]) };
    let event = KeyringRewrapped { provider: "vault".into(), seen_at: AT };
    given([added(1)]).when(observe(done)).then([Event::KeyringRewrapped(event)]);
}

#[test]
fn signing_keys_are_published_and_withdrawn_each_once() {
    after(
        &[published("a")],
        [
            (observe(sees(&[], &["a", "b"])), vec![published("b")]),
            (observe(sees(&[], &["b"])), vec![withdrawn(&["a"])]),
            // Somebody whose clock is behind still publishes it.
            (observe(sees(&[], &["a", "b"])), vec![]),
        ],
    );
}

#[test]
fn whoever_lacks_the_newest_signing_key_is_behind_and_says_nothing() {
    given([published("a"), published("b")]).when(observe(sees(&[], &["a"]))).then([]);
    let events = [published("a"), published("b"), withdrawn(&["a"])];
    given(events.clone()).when(observe(sees(&[], &["a"]))).then([]);
    given(events).when(observe(sees(&[], &[]))).then([]);
}

/// What a process sees of signing keys that sign from then on.
fn publishes(keys: &[(&str, i64)]) -> Command {
    let from = |&(kid, seconds): &(&str, i64)| ObservedAssertionKey {
        signs_from: Some(Timestamp::from_unix_seconds(seconds)),
        ..key(kid)
    };
    observe(Observed { assertion_keys: keys.iter().map(from).collect(), ..sees(&[], &[]) })
}

fn published_from(kid: &str, seconds: i64) -> Event {
    Event::AssertionKeyPublished(AssertionKeyPublished {
        kid: kid.into(),
        algorithm: "ES256".into(),
        signs_from: Some(Timestamp::from_unix_seconds(seconds)),
        seen_at: AT,
    })
}

#[test]
fn a_signing_key_whose_place_another_took_before_it_signed_is_withdrawn() {
    after(
        &[published_from("a", 0), published_from("late", 900)],
        [
            (
                publishes(&[("a", 0), ("soon", 300)]),
                vec![published_from("soon", 300), withdrawn(&["late"])],
            ),
            (publishes(&[("a", 0), ("late", 900)]), vec![]),
            // Once all others have expired.
            (
                publishes(&[("last", 990)]),
                vec![published_from("last", 990), withdrawn(&["a", "soon"])],
            ),
        ],
    );
}

#[test]
fn a_signing_key_whose_place_was_taken_before_anybody_told_of_it_is_not_told_of() {
    after(
        &[published_from("a", 0), published_from("soon", 300), published_from("last", 990)],
        [
            (publishes(&[("a", 0), ("late", 900)]), vec![]),
            (publishes(&[("a", 0), ("late", 900), ("later", 995)]), vec![]),
        ],
    );
}

#[test]
fn a_rotation_of_secrets_is_begun_told_of_and_completed() {
    let begin = || Command::BeginSecretRotation { now: AT };
    after(
        &[],
        [
            (begin(), vec![begun(1)]),
            (note(1, 1, 3), vec![advanced(1, 1, 3)]),
            (note(1, 1, 3), vec![]),
            (complete(1), vec![completed(1)]),
            (begin(), vec![begun(2)]),
        ],
    );
}

#[test]
fn one_rotation_of_secrets_is_under_way_at_most() {
    let begin = || Command::BeginSecretRotation { now: LATER };
    given([begun(1)]).when(begin()).then_rejected(Rejection::SecretRotationUnderWay);
    given([begun(1), advanced(1, 3, 3)])
        .when(begin())
        .then_rejected(Rejection::SecretRotationUnderWay);
}

#[test]
fn nothing_is_told_of_a_rotation_of_secrets_that_is_not_under_way() {
    for events in [vec![], vec![begun(1), completed(1)], vec![begun(1), completed(1), begun(2)]] {
        given(events.clone()).when(note(1, 2, 3)).then([]);
        given(events).when(complete(1)).then([]);
    }
}

#[test]
fn what_is_known_of_a_rotation_of_secrets_is_what_was_told_last() {
    let fold = |events: &[Event]| {
        let state = events.iter().fold(State::default(), Keyring::evolve);
        state.secret_rotation().copied()
    };
    assert_eq!(fold(&[]), None);
    let under_way = SecretRotation {
        rotation: 1,
        begun_at: AT,
        users_done: 1,
        users_total: 4,
        completed_at: None,
    };
    assert_eq!(fold(&[begun(1), advanced(1, 1, 4)]), Some(under_way));
    let done =
        SecretRotation { users_done: 3, users_total: 3, completed_at: Some(LATER), ..under_way };
    assert_eq!(fold(&[begun(1), advanced(1, 1, 4), completed(1)]), Some(done));
    let next = SecretRotation { rotation: 2, users_done: 0, users_total: 0, ..under_way };
    assert_eq!(fold(&[begun(1), completed(1), begun(2)]), Some(next));
}

#[test]
fn every_event_survives_the_stored_form() {
    let later = AssertionKeyPublished {
        kid: "b".into(),
        algorithm: "EdDSA".into(),
        signs_from: Some(LATER),
        seen_at: AT,
    };
    let events = [
        added(1),
        rewrapped(2, 7),
        retired(&[1]),
        Event::KeyringRewrapped(KeyringRewrapped { provider: "aws".into(), seen_at: AT }),
        kept_by("vault"),
        published("a"),
        Event::AssertionKeyPublished(later),
        withdrawn(&["a", "b"]),
        begun(1),
        advanced(1, 2, 3),
        completed(1),
    ];
    for event in events {
        let stored = Keyring::encode(&event);
        let read = Keyring::decode(stored.event_type, stored.schema_version, &stored.payload);
        assert_eq!(read, Ok(event));
    }
}

#[test]
fn keys_are_told_from_another_installations() {
    let found = |fingerprint: &str| Command::Found { fingerprint: fingerprint.into(), now: AT };
    let founded = Event::KeysFounded(KeysFounded { fingerprint: "0f1e".into(), seen_at: AT });
    given([]).when(found("0f1e")).then([founded.clone()]);
    given([founded.clone()]).when(found("0f1e")).then([]);
    given([founded]).when(found("0f1f")).then_rejected(Rejection::OtherKeys);
}
