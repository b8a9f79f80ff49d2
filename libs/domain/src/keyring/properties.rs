//! What must hold for every history.

use std::collections::BTreeSet;

use countersign_eventsourcing::EventCodec as _;
use proptest::prelude::*;

use super::*;

/// What is done to the directory of keys, and who looks at it.
#[derive(Clone, Debug)]
enum Step {
    AddVersion,
    Retire,
    /// A signing key is drawn that signs this much later.
    AddKey(i64),
    /// Time passes, in which every replica looks, and gets the directory that was there when it last passed.
    Pass,
    /// One of the replicas gets the directory as it is now.
    Bring(usize),
    /// One of the replicas tells what it sees.
    Look(usize),
}

const REPLICAS: usize = 3;

/// How long statements live: longer than a replica lags.
const LIVE: i64 = 2;

const NEVER: i64 = i64::MAX;

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => Just(Step::AddVersion),
        1 => Just(Step::Retire),
        3 => (0..4i64).prop_map(Step::AddKey),
        3 => Just(Step::Pass),
        5 => (0..REPLICAS).prop_map(Step::Bring),
        5 => (0..REPLICAS).prop_map(Step::Look),
    ]
}

#[derive(Clone, Debug)]
struct Key {
    number: u32,
    from: i64,
    until: i64,
}

/// The directory of keys.
#[derive(Clone, Debug)]
struct Directory {
    versions: Vec<u32>,
    keys: Vec<Key>,
    drawn: u32,
    changes: u32,
}

impl Directory {
    fn new() -> Self {
        let first = Key { number: 1, from: 0, until: NEVER };
        Self { versions: vec![1], keys: vec![first], drawn: 1, changes: 0 }
    }

    /// Draws a key that takes the place of those that were to sign later.
    fn draw(&mut self, from: i64, now: i64) {
        self.drawn += 1;
        self.keys = self.published(now);
        for key in &mut self.keys {
            key.until = key.until.min(from + LIVE);
        }
        self.keys.retain(|key| key.from <= from);
        self.keys.push(Key { number: self.drawn, from, until: NEVER });
    }

    fn published(&self, now: i64) -> Vec<Key> {
        let signing = self.keys.iter().filter(|key| key.from <= now).max_by_key(|key| key.from);
        let signing = signing.map(|key| key.number);
        let is_published = |key: &&Key| key.until > now || Some(key.number) == signing;
        self.keys.iter().filter(is_published).cloned().collect()
    }

    fn is_before(&self, other: &Self) -> bool {
        self.changes < other.changes
    }

    fn newest(&self) -> u32 {
        *self.versions.last().unwrap()
    }

    fn kids(&self, now: i64) -> Vec<String> {
        self.published(now).iter().map(|key| key.number.to_string()).collect()
    }

    fn seen(&self, now: i64) -> Command {
        let key = |key: &Key| ObservedAssertionKey {
            kid: key.number.to_string().into(),
            algorithm: "ES256".into(),
            signs_from: (key.from > 0).then(|| Timestamp::from_unix_seconds(key.from)),
        };
        Command::Observe(Box::new(Observed {
            provider: None,
            versions: self.versions.clone(),
            rewrapped: (self.versions.len() == 1).then_some(7),
            ring_rewrapped: None,
            assertion_keys: self.published(now).iter().map(key).collect(),
            now: Timestamp::from_unix_seconds(now),
        }))
    }
}

fn append(state: &mut State, history: &mut Vec<Event>, command: Command) -> usize {
    let events = Keyring::decide(state, command).unwrap();
    for event in &events {
        let stored = Keyring::encode(event);
        let read = Keyring::decode(stored.event_type, stored.schema_version, &stored.payload);
        assert_eq!(read.as_ref(), Ok(event));
        let before = state.clone();
        *state = Keyring::evolve(before.clone(), event);
        assert_ne!(*state, before, "an event that changes nothing");
    }
    history.extend(events.iter().cloned());
    events.len()
}

/// Makes sure that nothing was told twice, and nothing taken away that was not there.
fn assert_monotonic(history: &[Event]) {
    let (mut newest, mut versions) = (0, BTreeSet::new());
    let (mut kids, mut published) = (BTreeSet::new(), BTreeSet::new());
    for event in history {
        match event {
            Event::KeyVersionAdded(event) => {
                assert!(event.version > newest, "{} after {newest}", event.version);
                newest = event.version;
                versions.insert(newest);
            }
            Event::KeyVersionsRetired(event) => {
                assert!(event.versions.iter().all(|version| versions.remove(version)));
                assert!(versions.contains(&newest), "the newest was retired");
            }
            Event::AssertionKeyPublished(event) => {
                assert!(kids.insert(&event.kid), "{} twice", event.kid);
                published.insert(&event.kid);
            }
            Event::AssertionKeysWithdrawn(event) => {
                assert!(event.kids.iter().all(|kid| published.remove(kid)));
                assert!(!published.is_empty(), "none is left");
            }
            Event::KeysFounded(_)
            | Event::KeysRewrapped(_)
            | Event::KeyringRewrapped(_)
            | Event::KeyProviderChanged(_)
            | Event::SecretRotationBegun(_)
            | Event::SecretRotationAdvanced(_)
            | Event::SecretRotationCompleted(_) => {}
        }
    }
}

proptest! {
    #[test]
    fn whoever_looks_when_the_log_tells_of_each_change_once_and_at_last_of_all(
        steps in prop::collection::vec(steps(), 0..80)
    ) {
        let (mut directory, mut now) = (Directory::new(), 1);
        let mut replicas = vec![directory.clone(); REPLICAS];
        let mut brought = directory.clone();
        let (mut state, mut history) = (State::default(), Vec::new());
        for step in steps {
            directory.changes += 1;
            match step {
                Step::AddVersion => {
                    let next = directory.newest() + 1;
                    directory.versions.push(next);
                }
                Step::Retire => directory.versions = vec![directory.newest()],
                Step::AddKey(overlap) => directory.draw(now + overlap, now),
                Step::Pass => {
                    for replica in &mut replicas {
                        append(&mut state, &mut history, replica.seen(now));
                        if replica.is_before(&brought) {
                            *replica = brought.clone();
                            append(&mut state, &mut history, replica.seen(now));
                        }
                    }
                    brought = directory.clone();
                    now += 1;
                }
                Step::Bring(replica) => replicas[replica] = directory.clone(),
                Step::Look(replica) => {
                    append(&mut state, &mut history, replicas[replica].seen(now));
                    let again = append(&mut state, &mut history, replicas[replica].seen(now));
                    prop_assert_eq!(again, 0, "a second look told more");
                }
            }
        }
        append(&mut state, &mut history, directory.seen(now));
        assert_monotonic(&history);
        prop_assert_eq!(state.versions(), directory.versions.as_slice());
        prop_assert_eq!(state.published().collect::<Vec<_>>(), directory.kids(now));
        for replica in replicas {
            prop_assert_eq!(append(&mut state, &mut history, replica.seen(now)), 0);
        }
        let replayed = history.iter().fold(State::default(), Keyring::evolve);
        prop_assert_eq!(replayed, state);
    }

    #[test]
    fn rotations_of_secrets_follow_one_another_and_none_ends_twice(
        commands in prop::collection::vec(secret_commands(), 0..40)
    ) {
        let (mut state, mut history) = (State::default(), Vec::new());
        for command in commands {
            if Keyring::decide(&state, command.clone()).is_ok() {
                append(&mut state, &mut history, command);
            }
        }
        let mut last = 0;
        let mut is_under_way = false;
        for event in &history {
            if let Event::SecretRotationBegun(event) = event {
                prop_assert!(!is_under_way && event.rotation == last + 1);
                (last, is_under_way) = (event.rotation, true);
            } else if let Event::SecretRotationAdvanced(event) = event {
                prop_assert!(is_under_way && event.rotation == last);
            } else if let Event::SecretRotationCompleted(event) = event {
                prop_assert!(is_under_way && event.rotation == last);
                is_under_way = false;
            }
        }
    }
}

fn secret_commands() -> impl Strategy<Value = Command> {
    let now = Timestamp::EPOCH;
    prop_oneof![
        Just(Command::BeginSecretRotation { now }),
        (1..4u32, 0..3u64, 0..3u64).prop_map(|(rotation, users_done, users_total)| {
            Command::NoteSecretRotation { rotation, users_done, users_total }
        }),
        (1..4u32).prop_map(move |rotation| {
            Command::CompleteSecretRotation { rotation, users: 2, secrets: 3, now }
        }),
    ]
}
